#include "ddpm/diffusion/bound.h"

#include <cmath>

#include <ATen/ATen.h>

#include "ddpm/diffusion/posterior.h"

namespace ddpm {

namespace {

// [N,…] → [N].
at::Tensor per_dimension(const at::Tensor& nats) { return nats.reshape({nats.size(0), -1}).mean(1); }

}  // namespace

at::Tensor bound_term(const NoiseSchedule& schedule, const at::Tensor& t, const at::Tensor& x_start, const at::Tensor& x_t,
                      const at::Tensor& pred_x0, const at::Tensor& log_variance, NormalCdf cdf) {
    const at::Tensor mean = posterior_mean(schedule, pred_x0, x_t, t);
    const auto decoder = [&] { return per_dimension(-discretized_normal_log_likelihood(x_start, mean, log_variance, cdf)); };
    const auto divergence = [&] {
        const Gaussian q = q_posterior(schedule, x_start, x_t, t);
        return per_dimension(normal_kl(q.mean, q.log_variance, mean, log_variance));
    };
    const at::Tensor is_first = t == 0;
    if (t.is_cpu()) {  // on another device, reading t would wait for it
        if (is_first.all().item<bool>()) return decoder();
        if (!is_first.any().item<bool>()) return divergence();
    }
    // Both are finite at every t, so that the one left out adds nothing to a gradient.
    return at::where(is_first.to(x_t.device()), decoder(), divergence());
}

at::Tensor prior_term(const NoiseSchedule& schedule, const at::Tensor& x_start) {
    const NoiseLevel last = schedule.level(schedule.size() - 1);
    const at::Tensor mean = last.alpha * x_start, zero = at::zeros_like(mean);
    const at::Tensor log_variance = at::full_like(mean, 2 * std::log(last.sigma));
    return per_dimension(normal_kl(mean, log_variance, zero, zero));
}

}  // namespace ddpm
