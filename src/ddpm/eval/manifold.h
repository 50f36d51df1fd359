#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "ddpm/eval/jackknife.h"

namespace ddpm {

// How samples y_j (j < M) lie among reference rows x_i (i < N). Around each row is a ball up to its k-th neighbour in its own set;
// only what lies strictly inside counts as in it, as in the package prdc. Precision and recall are those of Kynkäänniemi et al.
// (arXiv 1904.06991, section 2), density and coverage those of Naeem et al. (arXiv 2002.09797, section 3), who wrote prdc.
struct ManifoldNumbers {
    double precision;  // the share of y in the ball of some x: are samples like the data?
    double recall;     // the share of x in the ball of some y: is all of the data sampled?
    double density;    // Σ_j |{i: y_j in the ball of x_i}|/(k·M): about 1 for samples like the data, and not bounded by 1
    double coverage;   // the share of x with a y in its ball
};

struct ManifoldJackknifed {
    Jackknifed precision, recall, density, coverage;
};

// Measures samples against a reference. Features are [N, D] and [M, D], floating, on any device; the work is done in float64 on
// the CPU, by blocks, in N + M numbers and 80 MB for D = 2048. Distances that agree to ten digits count as equal, because
// rounding would decide between them. 1 ≤ k < N and M. Throws a user error if k is too large, if D differs or if a number is not
// finite.
class Manifold {
public:
    // Keeps the reference (it shares the tensor, which must not change) and finds its balls, once for all samples. prdc has k = 5;
    // precision and recall alone are mostly given for k = 3.
    Manifold(at::Tensor reference, int64_t k);

    ManifoldNumbers of(const at::Tensor& features) const;

    // The same with a jackknife over the rows of `features`, which are at least 20 and 10·k/9 + 2; the reference stays whole. All
    // is measured eleven times.
    ManifoldJackknifed jackknifed(const at::Tensor& features) const;

private:
    at::Tensor reference_;
    int64_t k_;
    at::Tensor squared_radii_;  // [N] float64
};

}  // namespace ddpm
