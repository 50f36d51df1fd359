#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace ddpm {

// The k rows that are nearest to each of N rows, on the CPU. Of equally near ones it holds any.
struct Neighbours {
    at::Tensor distances;  // [N, k] float64: Euclidean, ascending. A copy is at exactly 0.
    at::Tensor rows;       // [N, k] int64: their numbers
};

// Finds the neighbours among the rows of `others`, by blocks, so that memory is that of the result and 80 MB for D = 2048. Features
// are [N, D] and [M, D], floating, on any device; the work is done in float64 on the CPU. 1 ≤ k ≤ M. Throws a user error if k is
// too large, if D differs or if a number is not finite.
Neighbours nearest(const at::Tensor& features, const at::Tensor& others, int64_t k);

// Finds the neighbours of each row among the other rows of the same matrix; a copy in another row is a neighbour. 1 ≤ k < N.
Neighbours nearest_other(const at::Tensor& features, int64_t k);

}  // namespace ddpm
