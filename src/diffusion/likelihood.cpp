#include "ddpm/diffusion/likelihood.h"

#include <cmath>
#include <numbers>

#include <ATen/ATen.h>

namespace ddpm {

at::Tensor normal_kl(const at::Tensor& mean1, const at::Tensor& log_variance1, const at::Tensor& mean2,
                     const at::Tensor& log_variance2) {
    return 0.5 * (log_variance2 - log_variance1 + (log_variance1 - log_variance2).exp() - 1 +
                  (mean1 - mean2).square() * (-log_variance2).exp());
}

namespace {

at::Tensor distribution_function(const at::Tensor& x, NormalCdf cdf) {
    if (cdf == NormalCdf::tanh) return 0.5 * (1 + (std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)).tanh());
    return 0.5 * at::erfc(x * -std::numbers::sqrt2 / 2);
}

}  // namespace

at::Tensor discretized_normal_log_likelihood(const at::Tensor& x, const at::Tensor& mean, const at::Tensor& log_variance,
                                             NormalCdf cdf) {
    const at::Tensor centred = x - mean, inverse_scale = (-0.5 * log_variance).exp();
    const auto below = [&](const at::Tensor& edge) { return distribution_function(edge * inverse_scale, cdf); };
    // The bin is mirrored to the lower half, where the difference of two values near 0 keeps its digits.
    const at::Tensor lower_half = -centred.abs();
    const at::Tensor inside = below(lower_half + 1.0 / 255) - below(lower_half - 1.0 / 255);
    const at::Tensor probability =
        at::where(x < -0.999, below(centred + 1.0 / 255), at::where(x > 0.999, below(-centred + 1.0 / 255), inside));
    return probability.clamp_min(1e-12).log();
}

}  // namespace ddpm
