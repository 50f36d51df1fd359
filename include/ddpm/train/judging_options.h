#pragma once

#include <cstdint>
#include <string>

#include "ddpm/core/options.h"

namespace ddpm {

// The section `eval` of a configuration: how samples are judged while training goes on. judging_fields() has the meaning, unit and
// range of each key.
struct JudgingOptions {
    int64_t every = 0;
    int64_t n = 500;
    std::string features = "scatter";
    std::string metrics = "mmd,fd";
    int64_t reference = 2000;
    double share = 0.1;
};

const FieldTable<JudgingOptions>& judging_fields();

}  // namespace ddpm
