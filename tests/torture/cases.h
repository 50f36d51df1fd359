#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ddpm/core/json.h"

namespace ddpm::torture {

// One kind of run to be killed: a configuration that trains in a blink, and flags.
struct Case {
    std::string name;
    Json config;
    std::vector<std::string> flags;
};

// Together: fp32 and bf16, both kernel tables, accumulation, workers, label drop, dropout, flips, every kind of data set.
// Data that they need is written into `folder`.
std::vector<Case> make_cases(const std::filesystem::path& folder);

}  // namespace ddpm::torture
