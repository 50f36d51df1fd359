#include "ddpm/diffusion/posterior.h"

#include <cmath>

#include <ATen/ATen.h>

#include "ddpm/core/error.h"

namespace ddpm {

at::Tensor posterior_mean(const NoiseSchedule& schedule, const at::Tensor& x_start, const at::Tensor& x_t,
                          const at::Tensor& t) {
    return schedule.posterior_mean_coef1().gather(t, x_t) * x_start +
           schedule.posterior_mean_coef2().gather(t, x_t) * x_t;
}

Gaussian q_posterior(const NoiseSchedule& schedule, const at::Tensor& x_start, const at::Tensor& x_t,
                     const at::Tensor& t) {
    return {posterior_mean(schedule, x_start, x_t, t), schedule.posterior_variance().gather(t, x_t),
            schedule.posterior_log_variance_clipped().gather(t, x_t)};
}

at::Tensor posterior_mean_from_eps(const NoiseSchedule& schedule, const at::Tensor& x_t, const at::Tensor& t,
                                   const at::Tensor& eps) {
    const at::Tensor beta = schedule.betas().gather(t, x_t);
    const at::Tensor sigma_t = schedule.sqrt_one_minus_alphas_cumprod().gather(t, x_t);
    return (x_t - beta / sigma_t * eps) / (1 - beta).sqrt();
}

double fixed_log_variance(const NoiseSchedule& schedule, VarianceType type, int64_t t) {
    if (type == VarianceType::learned_range) runtime_failure("learned_range: the variance is the network's, not fixed");
    if (type == VarianceType::fixed_small || t == 0) return schedule.posterior_log_variance_clipped()[t];
    return std::log(schedule.betas()[t]);
}

at::Tensor learned_range_log_variance(const NoiseSchedule& schedule, const at::Tensor& v, int64_t t) {
    const at::Tensor f = (v + 1) / 2;
    return f * std::log(schedule.betas()[t]) + (1 - f) * schedule.posterior_log_variance_clipped()[t];
}

}  // namespace ddpm
