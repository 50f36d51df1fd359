#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "ddpm/kernels/adam.h"

namespace ddpm::kernels {

// The numbers of one parameter tensor, `count` of each. `averages` begins with that of AdamUpdate::ema_decay, which is null if
// there is none, and goes on with those of more_decays.
struct AdamSpan {
    float* parameter;
    const float* gradient;
    float *exp_avg, *exp_avg_sq, *averages[kMostAverages];
    int64_t count;
};

// The float32 factors of a moving average.
struct AverageFactors {
    float rest, decay;
    bool copies;  // the new average is nearer to the parameter than to the old average
};

// The float32 factors that follow from an AdamUpdate, the same for every device.
struct AdamFactors {
    float scale, decay, shrink, rest1, rest2, step_size, root, epsilon;
    int averages;  // how many entries of `average` are set
    AverageFactors average[kMostAverages];

    explicit AdamFactors(const AdamUpdate& u)
        : scale(static_cast<float>(u.gradient_scale)),
          decay(static_cast<float>(u.decoupled ? 0 : u.weight_decay)),
          shrink(static_cast<float>(u.decoupled ? 1 - u.learning_rate * u.weight_decay : 1)),
          rest1(static_cast<float>(1 - u.beta1)),
          rest2(static_cast<float>(1 - u.beta2)),  // 1 minus a β₂ in float32 would be off by up to 1e-5 of itself
          step_size(static_cast<float>(u.learning_rate / (1 - std::pow(u.beta1, static_cast<double>(u.step))))),
          root(static_cast<float>(1 / std::sqrt(1 - std::pow(u.beta2, static_cast<double>(u.step))))),
          epsilon(static_cast<float>(u.epsilon)),
          averages(static_cast<int>(1 + u.more_decays.size())),
          average{} {
        for (int k = 0; k < averages; ++k) {
            const double d = k == 0 ? u.ema_decay : u.more_decays[static_cast<size_t>(k - 1)];
            average[k] = {static_cast<float>(1 - d), static_cast<float>(d), d < 0.5};
        }
    }
};

// Does the step of AdamUpdate in one pass over memory.
void adam_update(const std::vector<AdamSpan>& spans, const AdamUpdate& update);

// Returns Σ g² over all gradients: in float32 within blocks of 4096, in double over the blocks, in the same order for any
// number of threads.
double sum_of_squares(const std::vector<std::span<const float>>& gradients);

}  // namespace ddpm::kernels
