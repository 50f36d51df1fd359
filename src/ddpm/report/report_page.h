#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/core/json.h"
#include "ddpm/report/report_pictures.h"
#include "ddpm/report/run_metrics.h"

namespace ddpm {

// What a page says of a run. Texts may hold anything; the page escapes them.
struct ReportRun {
    std::string name;   // short, and different from those of the other runs
    std::string place;  // the folder
    RunMetrics metrics;
    Json config;  // the resolved configuration; null: unknown
    ReportPictures grids;
    std::optional<ReportPicture> neighbours, bpd;  // pictures of evaluations that lie in the run
    std::vector<int64_t> checkpoints;              // the steps of the complete ones, ascending
    std::optional<int64_t> best_checkpoint;        // the step of checkpoints/best
    std::optional<int64_t> best_judged;            // the step of checkpoints/best-quality
};

struct ReportSettings {
    double now = 0;            // unix seconds, by which the page judges whether a run goes on
    std::string program = {};  // "ddpm 0.1.0, LibTorch 2.13.0"
    int reload_seconds = 0;    // the page loads itself anew that often; 0: never
};

// How many runs one page takes.
inline constexpr size_t kMostReportRuns = 8;

// See render_report.
inline constexpr size_t kReportPictureBytes = 2300 << 10;
inline constexpr size_t kReportColumns = 800;

// Where every page of this program begins, so that it may be replaced by a newer one.
extern const char* const kReportHead;

// Returns one HTML page that needs nothing besides itself. `runs` holds 1 … kMostReportRuns. The pictures of all runs together take
// at most kReportPictureBytes, and the curves kReportColumns / runs columns; then the page has less than 5 MB.
std::string render_report(const std::vector<ReportRun>& runs, const ReportSettings& settings);

}  // namespace ddpm
