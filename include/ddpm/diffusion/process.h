#pragma once

#include <functional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/diffusion/schedule.h"

namespace ddpm {

// x_t = a_t·x_0 + σ_t·ε (arXiv 2006.11239, eq. 4). x_start, noise: [N,…]; t: [N] int64, one for each example.
at::Tensor q_sample(const NoiseSchedule& schedule, const at::Tensor& x_start, const at::Tensor& t, const at::Tensor& noise);

// One step of the chain, x_t = √α_t·x_{t−1} + √β_t·ε (eq. 2): from x_{t−1} to x_t, t = 0 … T−1. The steps 0 … t in turn lead
// to the distribution of q_sample at t.
at::Tensor q_step(const NoiseSchedule& schedule, const at::Tensor& x_prev, int64_t t, const at::Tensor& noise);

// A step of the walk that forgets to shrink, x_t = x_{t−1} + √β_t·ε: the variance grows to 1 + Σβ. naive_sample is its direct
// form, x_t = x_0 + √(β_0+…+β_t)·ε.
at::Tensor naive_step(const NoiseSchedule& schedule, const at::Tensor& x_prev, int64_t t, const at::Tensor& noise);
at::Tensor naive_sample(const NoiseSchedule& schedule, const at::Tensor& x_start, int64_t t, const at::Tensor& noise);

// A step of the walk that forgets the roots, x_t = α_t·x_{t−1} + β_t·ε with β_t = 1−α_t: the variance dwindles, from Var to
// α²·Var + (1−α)² in a step.
at::Tensor rootless_step(const NoiseSchedule& schedule, const at::Tensor& x_prev, int64_t t, const at::Tensor& noise);

// A way from a picture to noise. The ways are there to be compared side by side.
struct ForwardMethod {
    using Noise = std::function<at::Tensor(int64_t t)>;  // N(0, I) for step t, shaped like x_start

    std::string name;
    std::string summary;
    // Returns x_t at each of `timesteps` (strictly ascending, 0 … T−1; else user_error), in their order. `noise` is called
    // once for each step taken, in ascending t.
    std::function<std::vector<at::Tensor>(const NoiseSchedule& schedule, const at::Tensor& x_start,
                                          const std::vector<int64_t>& timesteps, const Noise& noise)>
        run;
};

const std::vector<ForwardMethod>& forward_methods();  // closed_form, iterated, naive, rootless
std::vector<std::string> forward_method_names();
const ForwardMethod& forward_method(const std::string& name);  // an unknown name is a user_error

}  // namespace ddpm
