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
    // Begins a new file; or with `resume_step` goes on after that step. Then later lines are cut off first, as is a last
    // one that a kill or a loss of power left torn, and with a warning what else is no line of metrics.
    explicit MetricsWriter(std::filesystem::path path, std::optional<int64_t> resume_step = {});
    ~MetricsWriter();
    MetricsWriter(const MetricsWriter&) = delete;
    MetricsWriter& operator=(const MetricsWriter&) = delete;

    // Handed to the operating system before it returns. NaN and infinity become null. Where that fails (a full disk) it
    // is said once, and up to 1 MiB of lines wait and are written with the first one that can be. Thread-safe, as is sync.
    void append(const Json& line);

    // What was handed over is on the disk when it returns, unless that fails.
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

// `value` to so many decimals, as the nearest double: JSON writes 123.46, not 123.46000000000001.
double to_decimals(double value, int decimals);

// All lines; a torn last one is left out. Anything else that is no JSON object is a user_error with the line's number.
std::vector<Json> read_metrics(const std::filesystem::path& path);

struct LossPoint {
    double step = 0, loss = 0;  // NaN where it was not finite
};

// Of the lines that have both; the others are passed over. A run of a million steps has as many lines, which as JSON take
// half a gigabyte.
std::vector<LossPoint> read_losses(const std::filesystem::path& path);

}  // namespace ddpm
