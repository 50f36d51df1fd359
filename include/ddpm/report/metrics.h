#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

#include "ddpm/core/json.h"

namespace ddpm {

// metrics.jsonl: one JSON object a line, each with an integer "step" that never decreases.
class MetricsWriter {
public:
    // Begins a new file; or with `resume_step` goes on after that step: later lines, and a last one that a kill left
    // torn, are cut off first.
    explicit MetricsWriter(std::filesystem::path path, std::optional<int64_t> resume_step = {});

    // Written through to the operating system before it returns. NaN and infinity become null.
    void append(const Json& line);

private:
    std::filesystem::path path_;
    std::ofstream file_;
};

// All lines; a torn last one is left out. Anything else that is no JSON object is a user_error with the line's number.
std::vector<Json> read_metrics(const std::filesystem::path& path);

}  // namespace ddpm
