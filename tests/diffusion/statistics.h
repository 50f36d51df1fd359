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

// These return Kolmogorov–Smirnov distances: between a sample and a distribution, and between two samples.
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

// Returns a distance that samples of the right distribution exceed with probability `alarm` at most. For one sample of n numbers
// it is the Dvoretzky–Kiefer–Wolfowitz bound with Massart's constant; for two samples of n each, n/2 gives the asymptotic bound.
inline double ks_bound(double n, double alarm) { return std::sqrt(std::log(2 / alarm) / (2 * n)); }

}  // namespace ddpm
