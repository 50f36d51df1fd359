#include "ddpm/eval/feature_frechet.h"

#include <cmath>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/eval/moments.h"
#include "eval/blocks.h"

namespace ddpm {

namespace {

void check_samples(const GaussianFactor& reference, const at::Tensor& features, int64_t at_least) {
    eval::check_features(features, at_least, "the samples' features");
    if (features.size(1) != reference.mean.size(0))
        user_error(
            fmt::format("the samples' features have {} columns, but the reference's have {}; take both from the same extractor",
                        features.size(1), reference.mean.size(0)));
}

Moments moments_of(const at::Tensor& features) {
    Moments moments;
    moments.add(features);
    return moments;
}

// The jackknife for N > D: each group's sums are formed once.
Jackknifed jackknife_of_sums(const GaussianFactor& reference, const at::Tensor& features) {
    std::vector<Moments> groups;
    for (const at::Tensor& rows : jackknife_groups(features.size(0)))
        groups.push_back(moments_of(features.index_select(0, rows.to(features.device()))));
    const auto distance_without = [&](size_t left_out) {
        Moments moments;
        for (size_t g = 0; g < groups.size(); ++g)
            if (g != left_out) moments.merge(groups[g]);
        return frechet_distance(reference, factor_of(moments.fit()));
    };
    Jackknifed result{distance_without(groups.size()), {}};
    for (size_t g = 0; g < groups.size(); ++g) result.without.push_back(distance_without(g));
    return result;
}

}  // namespace

GaussianFactor fit_features(const at::Tensor& features) {
    const c10::InferenceMode no_gradients;
    eval::check_features(features, 2, "features");
    const int64_t n = features.size(0);
    if (n > features.size(1)) return factor_of(moments_of(features).fit());
    const at::Tensor x = features.to(at::kCPU, at::kDouble), mean = x.mean(0);
    return {mean, ((x - mean) / std::sqrt(static_cast<double>(n - 1))).t()};
}

double frechet_distance(const at::Tensor& reference, const at::Tensor& features) {
    eval::check_pair(reference, 2, features, 2);
    return frechet_distance(fit_features(reference), fit_features(features));
}

Jackknifed frechet_jackknife(const GaussianFactor& reference, const at::Tensor& features) {
    const c10::InferenceMode no_gradients;
    check_samples(reference, features, 2);
    if (features.size(0) > features.size(1)) return jackknife_of_sums(reference, features);
    return jackknife(features.size(0), [&](const at::Tensor& rows) {
        return frechet_distance(reference, fit_features(features.index_select(0, rows.to(features.device()))));
    });
}

FrechetLimit frechet_limit(const GaussianFactor& reference, const at::Tensor& features, const std::vector<int64_t>& sizes) {
    const c10::InferenceMode no_gradients;
    check_samples(reference, features, 2);
    if (sizes.size() < 2) user_error("FD∞ is the end of a line, which takes at least two sizes");
    FrechetLimit result{0, 0, sizes, {}};
    Moments moments;
    int64_t before = 1;
    for (const int64_t n : sizes) {
        if (n <= before || n > features.size(0))
            user_error(
                fmt::format("sizes for FD∞ ascend from 2 to the {} pictures, but {} comes after {}", features.size(0), n, before));
        const bool few = n <= features.size(1);
        if (!few) moments.add(features.slice(0, moments.count(), n));
        const GaussianFactor fit = few ? fit_features(features.slice(0, 0, n)) : factor_of(moments.fit());
        result.distances.push_back(frechet_distance(reference, fit));
        before = n;
    }
    const at::Tensor x = 1 / at::tensor(sizes, at::kDouble), y = at::tensor(result.distances, at::kDouble);
    const at::Tensor apart = x - x.mean();
    result.slope = ((apart * y).sum() / apart.square().sum()).item<double>();
    result.limit = y.mean().item<double>() - result.slope * x.mean().item<double>();
    return result;
}

std::vector<int64_t> frechet_limit_sizes(int64_t n) {
    constexpr int64_t kSizes = 15;
    if (n < 20) user_error(fmt::format("FD∞ takes at least 20 pictures, but there are {}; take more pictures", n));
    std::vector<int64_t> sizes;
    for (int64_t i = 0; i < kSizes; ++i) sizes.push_back(n / 10 + (n - n / 10) * i / (kSizes - 1));
    return sizes;
}

}  // namespace ddpm
