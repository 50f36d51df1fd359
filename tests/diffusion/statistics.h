#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

namespace ddpm {

inline double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

inline std::vector<double> to_sorted(const at::Tensor& x) {
    const at::Tensor values = x.flatten().to(at::kDouble).contiguous();
    std::vector<double> sorted(values.const_data_ptr<double>(), values.const_data_ptr<double>() + values.numel());
    std::sort(sorted.begin(), sorted.end());
    return sorted;
}

// Kolmogorov–Smirnov distances: of a sample from a distribution, and of two samples from each other.
inline double ks_distance(const at::Tensor& sample, const std::function<double(double)>& cdf) {
    const std::vector<double> x = to_sorted(sample);
    const double n = static_cast<double>(x.size());
    double distance = 0;
    for (size_t i = 0; i < x.size(); ++i) {
        const double F = cdf(x[i]);
        distance = std::max({distance, F - static_cast<double>(i) / n, static_cast<double>(i + 1) / n - F});
    }
    return distance;
}

inline double ks_distance(const at::Tensor& first, const at::Tensor& second) {
    const std::vector<double> x = to_sorted(first), y = to_sorted(second);
    double distance = 0;
    for (size_t i = 0, j = 0; i < x.size() && j < y.size();) {
        x[i] <= y[j] ? ++i : ++j;
        distance = std::max(distance, std::abs(static_cast<double>(i) / static_cast<double>(x.size()) -
                                               static_cast<double>(j) / static_cast<double>(y.size())));
    }
    return distance;
}

// Exceeded with probability at most `alarm` by samples that do follow the law (Dvoretzky–Kiefer–Wolfowitz with
// Massart's constant for one sample of n; for two of n each the same form holds with n/2, up to the asymptotic).
inline double ks_bound(double n, double alarm) { return std::sqrt(std::log(2 / alarm) / (2 * n)); }

}  // namespace ddpm
