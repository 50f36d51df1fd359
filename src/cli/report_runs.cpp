#include "cli/report_runs.h"

#include <map>

#include <spdlog/spdlog.h>

#include "ddpm/core/error.h"
#include "ddpm/core/file_kind.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"
#include "ddpm/run/entries.h"
#include "ddpm/run/run_folder.h"

namespace ddpm::cli {

namespace {

fs::path run_place(const std::string& folder) {
    fs::path place = fs::weakly_canonical(fs::absolute(folder));
    return place.has_filename() ? place : place.parent_path();
}

// The last part of each folder's path, or all of it where two runs have the same.
std::vector<std::string> names_of(const std::vector<std::string>& folders) {
    std::map<std::string, int> counts;
    for (const std::string& folder : folders) ++counts[run_place(folder).filename().string()];
    std::vector<std::string> names;
    for (const std::string& folder : folders) {
        const std::string last = run_place(folder).filename().string();
        names.push_back(printable(counts[last] == 1 ? last : fs::path(folder).lexically_normal().string()));
    }
    return names;
}

Json config_of(const fs::path& run) {
    if (!is_file(run / "config.json")) return nullptr;
    try {
        return read_json_file(run / "config.json");
    } catch (const Error& error) {
        spdlog::warn("{}; the page goes without it", error.what());
        return nullptr;
    }
}

// The step of the checkpoint that a link in checkpoints/ points to.
std::optional<int64_t> linked_step(const fs::path& run, const char* link, const std::vector<int64_t>& steps) {
    std::error_code none;
    const std::string name = fs::read_symlink(run / "checkpoints" / link, none).filename().string();
    for (const int64_t step : steps)
        if (!none && name == checkpoint_name(step)) return step;
    return std::nullopt;
}

std::optional<ReportPicture> picture_in(const fs::path& file, size_t budget) {
    if (!is_file(file)) return std::nullopt;
    try {
        return read_report_picture(file, budget);
    } catch (const Error& error) {
        spdlog::warn("{}; the page goes without it", error.what());
        return std::nullopt;
    }
}

ReportRun read_run(const fs::path& folder, const std::string& name, size_t runs) {
    ReportRun run;
    run.name = name;
    run.place = run_place(folder.string()).string();
    if (is_file(folder / "metrics.jsonl")) run.metrics = read_run_metrics(folder / "metrics.jsonl", kReportColumns / runs);
    if (run.metrics.unreadable > 0)
        spdlog::warn("{}: {} that no metrics are in; left out", (folder / "metrics.jsonl").string(),
                     plural(run.metrics.unreadable, "line"));
    run.config = config_of(folder);
    const size_t budget = kReportPictureBytes / runs;
    run.neighbours = picture_in(folder / "neighbours.png", budget / 5);
    run.bpd = picture_in(folder / "bpd.png", budget / 5);
    run.grids = read_step_pictures(folder / "samples", budget / 5 * 3);
    for (const Checkpoint& checkpoint : list_checkpoints(folder)) run.checkpoints.push_back(checkpoint.step);
    run.best_checkpoint = linked_step(folder, kBestByLoss, run.checkpoints);
    run.best_judged = linked_step(folder, kBestByQuality, run.checkpoints);
    return run;
}

}  // namespace

void check_report_runs(const std::vector<std::string>& folders) {
    if (folders.empty())
        user_error("report: of which run? give its folder", "for example: ddpm report runs/shapes --out report.html");
    if (folders.size() > kMostReportRuns)
        user_error(fmt::format("report: got {} runs, a page takes {} at most", folders.size(), kMostReportRuns));
    std::map<fs::path, std::string> seen;
    for (const std::string& folder : folders) {
        expect_kind(fs::path(folder), {FileKind::folder}, "the folder of a run");
        if (!is_file(fs::path(folder) / "metrics.jsonl") && !is_config_of_run(fs::path(folder) / "config.json"))
            user_error(folder + ": is no run: it holds neither metrics.jsonl nor the config.json of one",
                       "give the folder that `ddpm train` has made, as runs/shapes");
        const auto [other, fresh] = seen.emplace(run_place(folder), folder);
        if (!fresh) user_error(fmt::format("report: {} and {} are the same run", quote(other->second), quote(folder)));
    }
}

std::vector<ReportRun> read_report_runs(const std::vector<std::string>& folders) {
    const std::vector<std::string> names = names_of(folders);
    std::vector<ReportRun> runs;
    for (size_t i = 0; i < folders.size(); ++i) runs.push_back(read_run(folders[i], names[i], folders.size()));
    return runs;
}

std::string stamp_of_runs(const std::vector<std::string>& folders) {
    std::string stamp;
    for (const fs::path folder : folders)
        for (const char* part : {"metrics.jsonl", "config.json", "samples", "checkpoints", "neighbours.png", "bpd.png"}) {
            std::error_code ignored;
            const auto time = fs::last_write_time(folder / part, ignored).time_since_epoch().count();
            const auto size = fs::file_size(folder / part, ignored);
            stamp += fmt::format("{} {};", time, ignored ? 0 : size);
        }
    return stamp;
}

}  // namespace ddpm::cli
