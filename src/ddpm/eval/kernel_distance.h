#pragma once

#include <functional>

#include <ATen/core/Tensor.h>

#include "ddpm/eval/jackknife.h"

namespace ddpm {

// A kernel k(x, y) of rows x [n, D] and y [m, D], float64 on the CPU: [n, m]. It is symmetric.
using Kernel = std::function<at::Tensor(const at::Tensor& x, const at::Tensor& y)>;

// (x·y/D + 1)³, that of the Kernel Inception Distance (Bińkowski et al. 2018, arXiv 1801.01401, section 4). With features of
// Inception KernelDistance is KID, of whole sets instead of the mean of random subsets, which only adds noise.
Kernel polynomial_kernel();

// exp(−|x − y|²/s²). `squared_scale` is s² > 0; median_squared_distance of the reference is a good one.
Kernel gaussian_kernel(double squared_scale);

// Returns the median of |x_i − x_j|² over i < j, which of an even number of pairs is the mean of the two middle ones. Of more than
// 2048 rows it takes 2048, those numbered ⌊i·N/2048⌋, so it follows from the features alone; for D = 2048 the memory is 200 MB at
// most. Features are [N, D] floating, N ≥ 2. Throws a user error if a number is not finite, and if the median is 0 (half of the
// pairs are copies).
double median_squared_distance(const at::Tensor& features);

// The squared maximum mean discrepancy between a reference and samples, without bias (Gretton et al. 2012, "A Kernel Two-Sample
// Test", eq. 3),
//     Σ_{i≠j} k(x_i, x_j)/(N(N−1)) + Σ_{i≠j} k(y_i, y_j)/(M(M−1)) − 2·mean k(x_i, y_j),
// which for two sets of one law is 0 on average and may be below 0. Features are [N, D] and [M, D], floating, on any device, of at
// least 2 rows. Work in float64 on the CPU goes by blocks of 1024 rows, so that N and M cost no memory: 80 MB for D = 2048.
// All throw a user error if there are too few rows, if D differs or if a number is not finite.
class KernelDistance {
public:
    // Keeps the reference (it shares the tensor, which must not change) and sums k over its pairs, once for all samples.
    KernelDistance(at::Tensor reference, Kernel kernel);

    double of(const at::Tensor& features) const;

    // The same with a jackknife over the rows of `features`, M ≥ 20; the reference stays whole. Each pair is summed once, so it
    // costs no more than of(), but a copy of `features`.
    Jackknifed jackknifed(const at::Tensor& features) const;

private:
    double distance(double within, double across, double rows) const;

    at::Tensor reference_;
    Kernel kernel_;
    double reference_mean_;  // of k(x_i, x_j) over i ≠ j
};

}  // namespace ddpm
