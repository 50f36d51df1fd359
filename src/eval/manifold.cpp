#include "ddpm/eval/manifold.h"

#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "ddpm/eval/neighbours.h"
#include "eval/blocks.h"

namespace ddpm {

namespace {

// The squares of the balls' radii, less the digits that are left to rounding.
at::Tensor squared_radii(const at::Tensor& features, int64_t k) {
    return nearest_other(features, k).distances.select(1, k - 1).square() * (1 - 1e-10);
}

double true_share(const at::Tensor& flags) { return flags.to(at::kDouble).mean().item<double>(); }

}  // namespace

Manifold::Manifold(at::Tensor reference, int64_t k) : reference_(std::move(reference)), k_(k) {
    const c10::InferenceMode no_gradients;
    squared_radii_ = squared_radii(reference_, k_);
}

ManifoldNumbers Manifold::of(const at::Tensor& features) const {
    const c10::InferenceMode no_gradients;
    eval::check_pair(reference_, 2, features, 2);
    const at::Tensor own_radii = squared_radii(features, k_);
    const int64_t n = reference_.size(0), m = features.size(0);
    const at::Tensor like_data = at::zeros({m}, at::kBool), sampled = at::zeros({n}, at::kBool),
                     covered = at::zeros({n}, at::kBool);
    int64_t hits = 0;
    for (int64_t j = 0; j < m; j += eval::kBlockRows) {
        const at::Tensor y = eval::block_at(features, j);
        const auto own = [&](const at::Tensor& of_samples) { return of_samples.slice(0, j, j + y.size(0)); };
        for (int64_t i = 0; i < n; i += eval::kBlockRows) {
            const auto here = [&](const at::Tensor& of_reference) { return of_reference.slice(0, i, i + eval::kBlockRows); };
            const at::Tensor squares = eval::squared_distances(y, eval::block_at(reference_, i));
            const at::Tensor in_reference = squares < here(squared_radii_), in_samples = squares < own(own_radii).unsqueeze(1);
            hits += in_reference.sum().item<int64_t>();
            own(like_data).logical_or_(in_reference.any(1));
            here(covered).logical_or_(in_reference.any(0));
            here(sampled).logical_or_(in_samples.any(0));
        }
    }
    return {true_share(like_data), true_share(sampled), static_cast<double>(hits) / static_cast<double>(k_ * m),
            true_share(covered)};
}

ManifoldJackknifed Manifold::jackknifed(const at::Tensor& features) const {
    eval::check_pair(reference_, 2, features, 2);
    const std::vector<Jackknifed> numbers = jackknife_each(features.size(0), [&](const at::Tensor& rows) {
        const ManifoldNumbers numbers = of(features.index_select(0, rows.to(features.device())));
        return std::vector<double>{numbers.precision, numbers.recall, numbers.density, numbers.coverage};
    });
    return {numbers[0], numbers[1], numbers[2], numbers[3]};
}

}  // namespace ddpm
