#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "support/process.h"

namespace ddpm::torture {

// The built program and the library that counts its writes and fails them (fault_points.cpp says how).
struct Program {
    std::string path, fault_points;
};

// Runs it in `folder` with `environment` ("NAME=value"; LD_PRELOAD is added) to its end, or kills it after that many
// microseconds.
ProcessResult run(const Program& program, std::vector<std::string> arguments, const std::filesystem::path& folder,
                  const std::vector<std::string>& environment = {}, std::optional<int64_t> kill_after = {});

// What differs between two finished runs, as one line; "" when nothing does. Everything counts but the lock and, in
// metrics.jsonl, the keys time and images_per_second and the lines of heartbeats.
std::string difference(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace ddpm::torture
