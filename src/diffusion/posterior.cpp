#include "ddpm/diffusion/posterior.h"

#include <cmath>

#include <ATen/ATen.h>

#include "ddpm/core/error.h"

namespace ddpm {

at::Tensor posterior_mean(const NoiseSchedule& schedule, const at::Tensor& x_start, const at::Tensor& x_t, const at::Tensor& t) {
    return schedule.posterior_mean_coef1().gather(t, x_t) * x_start + schedule.posterior_mean_coef2().gather(t, x_t) * x_t;
}

Gaussian q_posterior(const NoiseSchedule& schedule, const at::Tensor& x_start, const at::Tensor& x_t, const at::Tensor& t) {
    return {posterior_mean(schedule, x_start, x_t, t), schedule.posterior_variance().gather(t, x_t),
            schedule.posterior_log_variance_clipped().gather(t, x_t)};
}

at::Tensor posterior_mean_from_eps(const NoiseSchedule& schedule, const at::Tensor& x_t, const at::Tensor& t,
                                   const at::Tensor& eps) {
    const at::Tensor beta = schedule.betas().gather(t, x_t);
    const at::Tensor sigma_t = schedule.sqrt_one_minus_alphas_cumprod().gather(t, x_t);
    return (x_t - beta / sigma_t * eps) / (1 - beta).sqrt();
}

namespace {

void check_fixed(VarianceType type) {
    if (type == VarianceType::learned_range) runtime_failure("learned_range: the variance is the network's, not fixed");
}

}  // namespace

double fixed_log_variance(const PosteriorStep& step, VarianceType type) {
    check_fixed(type);
    return std::log(type == VarianceType::fixed_small ? step.variance : step.beta);
}

at::Tensor learned_range_log_variance(const PosteriorStep& step, const at::Tensor& f) {
    return f * std::log(step.beta) + (1 - f) * std::log(step.variance);
}

at::Tensor fixed_log_variance(const NoiseSchedule& schedule, VarianceType type, const at::Tensor& t, const at::Tensor& like) {
    check_fixed(type);
    const at::Tensor small = schedule.posterior_log_variance_clipped().gather(t, like);
    if (type == VarianceType::fixed_small) return small;
    return at::where((t == 0).view(small.sizes()).to(small.device()), small, schedule.log_betas().gather(t, like));
}

at::Tensor learned_range_log_variance(const NoiseSchedule& schedule, const at::Tensor& f, const at::Tensor& t) {
    return f * schedule.log_betas().gather(t, f) + (1 - f) * schedule.posterior_log_variance_clipped().gather(t, f);
}

}  // namespace ddpm
