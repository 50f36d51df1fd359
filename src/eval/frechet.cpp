#include "ddpm/eval/frechet.h"

#include <algorithm>
#include <limits>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"

namespace ddpm {

namespace {

bool all_finite(const at::Tensor& mean, const at::Tensor& matrix) {
    return at::isfinite(mean).all().item<bool>() && at::isfinite(matrix).all().item<bool>();
}

}  // namespace

GaussianFactor factor_of(const GaussianFit& fit) {
    const c10::InferenceMode no_gradients;
    const auto [variances, axes] = at::linalg_eigh(fit.covariance);
    const double rounding =
        std::numeric_limits<double>::epsilon() * static_cast<double>(variances.size(0)) * variances.max().item<double>();
    const at::Tensor kept = (variances > std::max(rounding, 0.0)).nonzero().squeeze(1);
    return {fit.mean, axes.index_select(1, kept) * variances.index_select(0, kept).sqrt()};
}

double frechet_distance(const GaussianFactor& one, const GaussianFactor& other) {
    const c10::InferenceMode no_gradients;
    if (one.mean.size(0) != other.mean.size(0))
        user_error(
            fmt::format("a Fréchet distance needs features of one width, but these have {} and {} columns; "
                        "take both from the same extractor",
                        one.mean.size(0), other.mean.size(0)));
    if (!all_finite(one.mean, one.W) || !all_finite(other.mean, other.W)) return std::numeric_limits<double>::quiet_NaN();
    const at::Tensor shared = at::matmul(one.W.t(), other.W);
    const double root = shared.numel() == 0 ? 0 : at::linalg_svdvals(shared).sum().item<double>();
    const double means = (one.mean - other.mean).square().sum().item<double>();
    const double spreads = one.W.square().sum().item<double>() + other.W.square().sum().item<double>() - 2 * root;
    return means + std::max(spreads, 0.0);
}

double frechet_distance(const GaussianFit& one, const GaussianFit& other) {
    if (!all_finite(one.mean, one.covariance) || !all_finite(other.mean, other.covariance))
        return std::numeric_limits<double>::quiet_NaN();
    return frechet_distance(factor_of(one), factor_of(other));
}

}  // namespace ddpm
