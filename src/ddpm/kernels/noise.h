#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "ddpm/core/random.h"

namespace ddpm {

// N(0, 1) into `out`, [N, …] float32 and contiguous, on any device: row n is RandomStream(seed, purpose, step, first + n). A GPU
// may round one number in many millions another way.
void fill_normal(const at::Tensor& out, uint64_t seed, Purpose purpose, uint64_t step, uint64_t first);

// What dropout keeps of `x`, [N, C, H, W] on any device: a bool tensor of the same shape and device, channels last, false with
// `probability` (0 … 1, in steps of 2^-32). The mask of example n follows from seeds[n] ([N] int64, on x's device), `layer`
// and the shape of an example alone: it is the same in another batch, in another memory format and on another device. `seeds`
// is read when the device gets there, so that a recording may be replayed with other ones in the same memory.
at::Tensor dropout_mask(const at::Tensor& x, double probability, const at::Tensor& seeds, int64_t layer);

}  // namespace ddpm
