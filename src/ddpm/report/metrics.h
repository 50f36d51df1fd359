#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/core/descriptor.h"
#include "ddpm/core/json.h"

namespace ddpm {

// metrics.jsonl: one JSON object a line, each with an integer "step".
class MetricsWriter {
public:
    // Begins a new file. With `resume_step` it continues the file that is there: it removes the lines of later steps, a last
    // line that a kill or a loss of power has left torn and, with a warning, every other line that is no line of metrics.
    explicit MetricsWriter(std::filesystem::path path, std::optional<int64_t> resume_step = {});
    ~MetricsWriter();
    MetricsWriter(const MetricsWriter&) = delete;
    MetricsWriter& operator=(const MetricsWriter&) = delete;

    // Hands a line to the operating system before it returns. NaN and infinity become null. If that fails (a full disk), one
    // warning says so, and up to 1 MiB of lines wait until one can be written; further lines are lost. Thread-safe, as is
    // sync.
    void append(const Json& line);

    // Calls fsync: when it returns, the lines handed over are on the disk. A failure is ignored.
    void sync();

private:
    void write_waiting();

    std::filesystem::path path_;
    std::mutex mutex_;
    Descriptor descriptor_;
    int64_t size_ = 0;     // of the whole lines in the file
    std::string waiting_;  // lines that are not in the file yet
    int64_t lost_ = 0;     // lines that found no room to wait
    bool failing_ = false;
};

// Rounds `value` to so many decimals, to the nearest double: JSON writes 123.46, not 123.46000000000001.
double to_decimals(double value, int decimals);

// Reads all lines. A torn last line is left out; any other line that is no JSON object is a user_error with its number.
std::vector<Json> read_metrics(const std::filesystem::path& path);

struct LossPoint {
    double step = 0, loss = 0;  // NaN where it was not finite
};

// Reads step and loss of the lines that have both, and skips the others. It does not keep the lines as JSON: those of a run of
// a million steps would take half a gigabyte. Errors are those of read_metrics.
std::vector<LossPoint> read_losses(const std::filesystem::path& path);

}  // namespace ddpm
