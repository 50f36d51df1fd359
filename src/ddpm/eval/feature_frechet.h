#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/eval/frechet.h"
#include "ddpm/eval/jackknife.h"

namespace ddpm {

// Fréchet distances of features [N, D]: floating and finite, on any device; N ≥ 2. They are computed in float64 on the CPU. All
// functions throw a user error if N is too small, if D differs from the reference's, or if a number is not finite.

// Fits a normal distribution with divisor N − 1, as all packages for FID do. For N ≤ D, W is the centred rows divided by √(N − 1),
// [D, N], and no covariance is formed. Memory besides the result: 2·N·D numbers for N ≤ D, else that of Moments and about 5·D².
GaussianFactor fit_features(const at::Tensor& features);

// Returns the distance of two sets. It is biased: two sets of one law are at a distance of about (a constant of the features)/N, so
// compare only distances of the same N, and with that of real pictures that the reference does not hold.
double frechet_distance(const at::Tensor& reference, const at::Tensor& features);

// Returns the distance and its jackknife over the rows of `features`; the reference stays whole. For N > D the sums of each group
// are formed once. N ≥ 20. Memory: about 20 times D² numbers, 640 MB for D = 2048.
Jackknifed frechet_jackknife(const GaussianFactor& reference, const at::Tensor& features);

// The distance of ever more samples, and what it would be of endlessly many (FD∞; Chong and Forsyth 2020, arXiv
// 1911.07023): a line is fitted to the distances over 1/n by least squares.
struct FrechetLimit {
    double limit;  // at 1/n = 0; chance may bring it below 0
    double slope;  // the distance at n is about limit + slope/n
    std::vector<int64_t> sizes;
    std::vector<double> distances;  // of the first sizes[i] rows
};

// Measures the first n rows for each n of `sizes`, so rows must come in no order; at::Tensor::index_select with mixed_rows mixes
// them. `sizes` are at least two, ascending, all within 2 … N. Below n = D the distance is no line over 1/n.
FrechetLimit frechet_limit(const GaussianFactor& reference, const at::Tensor& features, const std::vector<int64_t>& sizes);

// Returns 15 sizes that are spread evenly from n/10 to n, which for n = 50000 are those of the paper. Throws a user error if they
// would not differ, n < 20.
std::vector<int64_t> frechet_limit_sizes(int64_t n);

}  // namespace ddpm
