#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "ddpm/core/random.h"

namespace ddpm {

// N(0, 1) into `out`, [N, …] float32 and contiguous, on any device: row n is RandomStream(seed, purpose, step, first + n). A GPU
// may round one number in many millions another way.
void fill_normal(const at::Tensor& out, uint64_t seed, Purpose purpose, uint64_t step, uint64_t first);

}  // namespace ddpm
