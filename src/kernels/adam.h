#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "ddpm/kernels/adam.h"

namespace ddpm::kernels {

// One parameter tensor's numbers; average is null where there is none.
struct AdamSpan {
    float* parameter;
    const float* gradient;
    float *exp_avg, *exp_avg_sq, *average;
    int64_t count;
};

// AdamUpdate as the float32 numbers that each step multiplies with, on any device.
struct AdamFactors {
    float scale, decay, shrink, rest1, rest2, step_size, root, epsilon, ema_rest, ema_decay;
    bool ema_copies;  // the average is nearer to the parameter than to itself

    explicit AdamFactors(const AdamUpdate& u)
        : scale(static_cast<float>(u.gradient_scale)),
          decay(static_cast<float>(u.decoupled ? 0 : u.weight_decay)),
          shrink(static_cast<float>(u.decoupled ? 1 - u.learning_rate * u.weight_decay : 1)),
          rest1(static_cast<float>(1 - u.beta1)),
          rest2(static_cast<float>(1 - u.beta2)),  // β₂ itself, rounded to float32, would be off by up to 1e-5 of this
          step_size(static_cast<float>(u.learning_rate / (1 - std::pow(u.beta1, static_cast<double>(u.step))))),
          root(static_cast<float>(1 / std::sqrt(1 - std::pow(u.beta2, static_cast<double>(u.step))))),
          epsilon(static_cast<float>(u.epsilon)),
          ema_rest(static_cast<float>(1 - u.ema_decay)),
          ema_decay(static_cast<float>(u.ema_decay)),
          ema_copies(u.ema_decay < 0.5) {}
};

// The update of AdamUpdate in one pass over memory.
void adam_update(const std::vector<AdamSpan>& spans, const AdamUpdate& update);

// Σ g² over all gradients: in float32 for blocks of 4096, in double for their sum, in one order whatever the threads.
double sum_of_squares(const std::vector<std::span<const float>>& gradients);

}  // namespace ddpm::kernels
