#pragma once

#include <cstdint>
#include <string>

#include "ddpm/core/options.h"

namespace ddpm {

// Configuration section `diffusion`: the forward process and what the network predicts of it.
// `diffusion_fields()` says what each key means and allows.
struct DiffusionOptions {
    std::string schedule = "cosine";  // a name of noise_schedules()
    int64_t timesteps = 1000;         // T
    bool rescale = true;              // linear only
    double beta_start = 1e-4;         // linear, scaled_linear
    double beta_end = 0.02;           // linear, scaled_linear
    bool zero_terminal_snr = false;
    std::string prediction_type = "epsilon";
    std::string variance_type = "fixed_small";
};

const FieldTable<DiffusionOptions>& diffusion_fields();

// Throws a user_error, whose key is the path of one of them, if keys contradict each other: a beta that reaches 1, for example.
void check(const DiffusionOptions& options);

}  // namespace ddpm
