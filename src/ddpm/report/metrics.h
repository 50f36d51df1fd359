#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/core/json.h"
#include "ddpm/report/append_file.h"

namespace ddpm {

// metrics.jsonl: one JSON object a line, each with an integer "step".
class MetricsWriter {
public:
    // Begins a new file. With `resume_step` it continues the file that is there: it removes the lines of later steps, a last
    // line that a kill or a loss of power has left torn and, with a warning, every other line that is no line of metrics.
    explicit MetricsWriter(const std::filesystem::path& path, std::optional<int64_t> resume_step = {});

    // Hands a line to the operating system before it returns, or keeps it while that fails (AppendFile). NaN and infinity become
    // null. Thread-safe, as is sync.
    void append(const Json& line);

    // Calls fsync: when it returns, the lines handed over are on the disk. A failure is ignored.
    void sync();

private:
    std::optional<AppendFile> file_;
};

// Rounds `value` to so many decimals, to the nearest double: JSON writes 123.46, not 123.46000000000001.
double to_decimals(double value, int decimals);

// Reads all lines. A torn last line is left out; any other line that is no JSON object is a user_error with its number.
std::vector<Json> read_metrics(const std::filesystem::path& path);

// Reads only lines that have one of these keys, which takes no more memory than they do beside the file's text. Lines that can't be
// read are left out. A file that is missing has none.
std::vector<Json> read_metrics(const std::filesystem::path& path, const std::vector<std::string>& keys);

struct LossPoint {
    double step = 0, loss = 0;  // NaN where it was not finite
};

// Reads step and loss of the lines that have both, and skips the others. It does not keep the lines as JSON: those of a run of
// a million steps would take half a gigabyte. Errors are those of read_metrics.
std::vector<LossPoint> read_losses(const std::filesystem::path& path);

}  // namespace ddpm
