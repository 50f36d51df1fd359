#include "ddpm/eval/kernel_distance.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "ddpm/core/error.h"
#include "eval/blocks.h"

namespace ddpm {

namespace {

// Σ k(x_i, y_j) over all i, j.
double sum_across(const Kernel& kernel, const at::Tensor& x, const at::Tensor& y) {
    double sum = 0;
    for (int64_t i = 0; i < x.size(0); i += eval::kBlockRows) {
        const at::Tensor rows = eval::block_at(x, i);
        for (int64_t j = 0; j < y.size(0); j += eval::kBlockRows) sum += kernel(rows, eval::block_at(y, j)).sum().item<double>();
    }
    return sum;
}

// Σ k(x_i, x_j) over i ≠ j.
double sum_within(const Kernel& kernel, const at::Tensor& x) {
    double sum = 0;
    for (int64_t i = 0; i < x.size(0); i += eval::kBlockRows) {
        const at::Tensor rows = eval::block_at(x, i), own = kernel(rows, rows);
        sum += (own.sum() - own.trace()).item<double>();
        for (int64_t j = i + eval::kBlockRows; j < x.size(0); j += eval::kBlockRows)
            sum += 2 * kernel(rows, eval::block_at(x, j)).sum().item<double>();
    }
    return sum;
}

double pairs_of(double rows) { return rows * (rows - 1); }

}  // namespace

Kernel polynomial_kernel() {
    return [](const at::Tensor& x, const at::Tensor& y) {
        const at::Tensor base = at::matmul(x, y.t()) / static_cast<double>(x.size(1)) + 1;
        return base * base * base;
    };
}

Kernel gaussian_kernel(double squared_scale) {
    if (!(squared_scale > 0)) user_error("the scale of a Gaussian kernel must be above 0");
    return [squared_scale](const at::Tensor& x, const at::Tensor& y) {
        return eval::squared_distances(x, y).div_(-squared_scale).exp_();
    };
}

double median_squared_distance(const at::Tensor& features) {
    constexpr int64_t kRows = 2048;
    const c10::InferenceMode no_gradients;
    eval::check_features(features, 2, "the reference's features");
    const int64_t n = features.size(0), kept = std::min(n, kRows);
    const at::Tensor rows = at::floor_divide(at::arange(kept, at::kLong) * n, kept);
    const at::Tensor x = features.index_select(0, rows.to(features.device())).to(at::kCPU, at::kDouble);
    const at::Tensor once = at::ones({kept, kept}, at::kBool).triu(1);
    const at::Tensor pairs = std::get<0>(eval::squared_distances(x, x).masked_select(once).sort());
    const int64_t count = pairs.size(0);
    const double median = (pairs[(count - 1) / 2].item<double>() + pairs[count / 2].item<double>()) / 2;
    if (median == 0)
        user_error(
            "the reference's features: half of all pairs of rows are copies of each other, so they have no scale; "
            "look for duplicates in the data");
    return median;
}

KernelDistance::KernelDistance(at::Tensor reference, Kernel kernel) : reference_(std::move(reference)), kernel_(std::move(kernel)) {
    const c10::InferenceMode no_gradients;
    eval::check_features(reference_, 2, "the reference's features");
    reference_mean_ = sum_within(kernel_, reference_) / pairs_of(static_cast<double>(reference_.size(0)));
}

double KernelDistance::distance(double within, double across, double rows) const {
    return reference_mean_ + within / pairs_of(rows) - 2 * across / (rows * static_cast<double>(reference_.size(0)));
}

double KernelDistance::of(const at::Tensor& features) const {
    const c10::InferenceMode no_gradients;
    eval::check_pair(reference_, 2, features, 2);
    return distance(sum_within(kernel_, features), sum_across(kernel_, reference_, features),
                    static_cast<double>(features.size(0)));
}

Jackknifed KernelDistance::jackknifed(const at::Tensor& features) const {
    const c10::InferenceMode no_gradients;
    eval::check_pair(reference_, 2, features, 2);
    std::vector<at::Tensor> groups;
    for (const at::Tensor& rows : jackknife_groups(features.size(0)))
        groups.push_back(features.index_select(0, rows.to(features.device())));
    // Of each group: what its rows have part in of the sum within the samples, and of that across to the reference.
    std::vector<double> within(groups.size(), 0), across(groups.size(), 0);
    double all_within = 0;
    for (size_t a = 0; a < groups.size(); ++a) {
        across[a] = sum_across(kernel_, reference_, groups[a]);
        const double own = sum_within(kernel_, groups[a]);
        within[a] += own;
        all_within += own;
        for (size_t b = a + 1; b < groups.size(); ++b) {
            const double both = 2 * sum_across(kernel_, groups[a], groups[b]);
            within[a] += both;
            within[b] += both;
            all_within += both;
        }
    }
    const double all_across = std::accumulate(across.begin(), across.end(), 0.0), rows = static_cast<double>(features.size(0));
    Jackknifed result{distance(all_within, all_across, rows), {}};
    for (size_t g = 0; g < groups.size(); ++g)
        result.without.push_back(
            distance(all_within - within[g], all_across - across[g], rows - static_cast<double>(groups[g].size(0))));
    return result;
}

}  // namespace ddpm
