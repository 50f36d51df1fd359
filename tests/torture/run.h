#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "support/process.h"

namespace ddpm::torture {

// The built program, and the library that counts its writes and makes them fail (fault_points.cpp).
struct Program {
    std::string path, fault_points;
};

// Runs the program in `folder` with `environment` ("NAME=value"; LD_PRELOAD is added), to its end or until it is killed after
// `kill_after` microseconds.
ProcessResult run(const Program& program, std::vector<std::string> arguments, const std::filesystem::path& folder,
                  const std::vector<std::string>& environment = {}, std::optional<int64_t> kill_after = {});

// Returns the first difference between two finished runs as one line, or "" if there is none. Everything is compared except the
// lock and, in metrics.jsonl, the keys time, images_per_second and seconds and the lines of heartbeats.
std::string difference(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace ddpm::torture
