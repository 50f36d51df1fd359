#pragma once

#include <ATen/core/Tensor.h>

namespace ddpm {

// A normal distribution that was fitted to points: their mean and their covariance. Whoever fits it says whether the covariance is
// divided by the number of points N or by N − 1. Both tensors are float64 on the CPU.
struct GaussianFit {
    at::Tensor mean;        // [D]
    at::Tensor covariance;  // [D, D], symmetric
};

// A normal distribution whose covariance is W·Wᵀ. Of fewer points than dimensions W is much smaller than the covariance. Both
// tensors are float64 on the CPU.
struct GaussianFactor {
    at::Tensor mean;  // [D]
    at::Tensor W;     // [D, R]; R may be 0, which is a point
};

// Returns W = V·√λ of the eigenvalues λ and eigenvectors V of the covariance, without those of which λ ≤ 2.2e-16·D·max λ: these are
// rounding. All numbers must be finite.
GaussianFactor factor_of(const GaussianFit& fit);

// Returns the squared Fréchet distance of two normal distributions (Dowson and Landau 1982), which FID is of features of
// Inception (Heusel et al. 2017, arXiv 1706.08500, eq. 6):
//     |m_1 − m_2|² + tr(C_1 + C_2 − 2·(C_1·C_2)^½).
// The trace of the root is the sum of the singular values of W_1ᵀ·W_2. So no root of a matrix is taken, and covariances without an
// inverse are as exact as others. The unit is that of a squared feature, and the result is never below 0. NaN if a number is not
// finite. Throws a user error if the two have other D.
double frechet_distance(const GaussianFactor& one, const GaussianFactor& other);
double frechet_distance(const GaussianFit& one, const GaussianFit& other);

}  // namespace ddpm
