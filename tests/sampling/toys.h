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

// Standard normal numbers of LibTorch's own generator: not the ones of core/random.
inline NoiseSource torch_noise(const std::vector<int64_t>& shape, uint64_t seed, at::ScalarType dtype = at::kDouble) {
    auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    return [=](int64_t) { return at::randn(shape, generator, dtype); };
}

inline at::Tensor draw_from(const Network& network, const NoiseSchedule& schedule, PredictionType type,
                            const at::Tensor& x_T, const ResolvedSampling& settings, const NoiseSource& noise,
                            const StepCallback& on_step = {}) {
    const NetworkDenoiser denoiser(network, schedule.respaced(settings.timesteps), type);
    return draw(denoiser, x_T, {}, settings, noise, on_step);
}

// One-dimensional data Σ w_k·N(m_k, s_k²): x_t is Σ w_k·N(a·m_k, V_k), V_k = a²·s_k² + σ², and the ε that minimises the
// expected squared error is E[ε|x_t] = −σ·∇ln q(x_t) = σ·Σ r_k(x_t)·(x_t − a·m_k)/V_k with responsibilities r.
struct Mixture {
    std::vector<double> weight, mean, deviation;

    Network optimal_eps(const NoiseSchedule& schedule) const {
        return [*this, schedule](const at::Tensor& x, const at::Tensor& times, const at::Tensor&) {
            const int64_t t = times[0].item<int64_t>();
            const double a = schedule.sqrt_alphas_cumprod()[t], sigma_t = schedule.sqrt_one_minus_alphas_cumprod()[t];
            std::vector<at::Tensor> log_weight, slope;
            for (size_t k = 0; k < weight.size(); ++k) {
                const double V = a * a * deviation[k] * deviation[k] + sigma_t * sigma_t;
                const at::Tensor centred = x - a * mean[k];
                log_weight.push_back(centred * centred * (-0.5 / V) + std::log(weight[k] / std::sqrt(V)));
                slope.push_back(centred / V);
            }
            return sigma_t * (at::stack(log_weight).softmax(0) * at::stack(slope)).sum(0);
        };
    }
};

}  // namespace ddpm
