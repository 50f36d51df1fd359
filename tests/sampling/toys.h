#pragma once

#include <cmath>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "ddpm/sampling/sampler.h"

namespace ddpm {

inline NoiseSchedule schedule_of(const std::string& name, int64_t T = 1000, bool zero_terminal_snr = false) {
    DiffusionOptions o;
    o.schedule = name;
    o.timesteps = T;
    o.zero_terminal_snr = zero_terminal_snr;
    return make_schedule(o);
}

// Returns standard normal noise from LibTorch's generator instead of core/random.
inline NoiseSource torch_noise(const std::vector<int64_t>& shape, uint64_t seed, at::ScalarType dtype = at::kDouble) {
    auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    return [=](int64_t) { return at::randn(shape, generator, dtype); };
}

inline at::Tensor sample_from(const Network& network, PredictionType type, const at::Tensor& x_T, const ResolvedSampling& settings,
                              const NoiseSource& noise, const StepCallback& on_step = {}, const StepHook& hook = {}) {
    return sample(NetworkDenoiser(network, type), x_T, {}, settings, noise, on_step, hook);
}

}  // namespace ddpm
