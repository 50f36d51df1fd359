#pragma once

#include <cstdint>
#include <string>

#include <ATen/core/Tensor.h>

namespace ddpm::eval {

// Matrices of features are read in blocks of this many rows. One of 2048 columns is 16 MB in float64; the distances between two
// blocks are 8 MB.
constexpr int64_t kBlockRows = 1024;

// Throws a user error unless `x` is [N, D] floating with N ≥ at_least, D ≥ 1 and finite numbers. `name` begins the message: "the
// reference's features".
void check_features(const at::Tensor& x, int64_t at_least, const std::string& name);

// Checks what a comparison of two sets takes: both as check_features says, and of one width.
void check_pair(const at::Tensor& reference, int64_t reference_at_least, const at::Tensor& features, int64_t at_least);

// Returns the rows that begin at `first`, at most kBlockRows, as float64 on the CPU.
at::Tensor block_at(const at::Tensor& x, int64_t first);

// Returns |x_i − y_j|² of x [n, D] and y [m, D], float64 on the CPU: [n, m], never below 0. What is as small as the rounding of
// this sum, 2.2e-16·D·(|x_i|² + |y_j|²), becomes 0, so that a copy is at no distance.
at::Tensor squared_distances(const at::Tensor& x, const at::Tensor& y);

}  // namespace ddpm::eval
