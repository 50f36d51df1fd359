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
    std::string happens{};  // a key of metrics.jsonl without which the run is not what its name says
};

// Together: fp32 and bf16, both kernel tables, accumulation, workers, label drop, dropout, flips, every kind of data set,
// held-out images, rollbacks. Data that they need is written into `folder`.
std::vector<Case> make_cases(const std::filesystem::path& folder);

}  // namespace ddpm::torture
