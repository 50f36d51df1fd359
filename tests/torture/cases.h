#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ddpm/core/json.h"

namespace ddpm::torture {

// One kind of run that is killed: a configuration that trains very quickly, and flags.
struct Case {
    std::string name;
    Json config;
    std::vector<std::string> flags;
    std::string happens{};  // the undisturbed run's metrics.jsonl must have this key, or the case does not do what its name says
};

// Returns the cases, and writes the data that they need into `folder`. Together they cover fp32 and bf16, both kernel tables,
// accumulation, workers, label drop, dropout, flips, every kind of data set, held-out images, judged samples,
// snapshots of averages and rollbacks.
std::vector<Case> make_cases(const std::filesystem::path& folder);

}  // namespace ddpm::torture
