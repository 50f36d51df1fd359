#pragma once

#include <string>

#include "ddpm/core/options.h"
#include "ddpm/diffusion/options.h"

namespace ddpm {

// The keys of the configuration section `train` that say which loss training lowers: how the squared error is weighted, and which
// t are drawn how often. `loss_fields()` says what each key means and allows.
struct LossOptions {
    std::string loss_weighting = "simple";  // a name of loss_weightings()
    double snr_gamma = 5;                   // γ of min_snr and soft_min_snr
    double p2_k = 1;                        // k and γ of p2
    double p2_gamma = 1;
    std::string timestep_sampling = "uniform";  // a name of timestep_samplings()
    double lognormal_mean = -1.2;               // of ln k, k = σ/α, for lognormal: EDM's values (arXiv 2206.00364, table 1)
    double lognormal_deviation = 1.2;
};

const FieldTable<LossOptions>& loss_fields();

// Throws a user_error whose key is `train.…` if keys contradict each other or the process: a weight that is 0 where sampling begins,
// a t that is never drawn there, uneven t for a learned variance, or a value other than the default for a key that the chosen rule does
// not read.
void check(const LossOptions& options, const DiffusionOptions& diffusion);

}  // namespace ddpm
