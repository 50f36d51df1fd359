#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "ddpm/core/random.h"

namespace ddpm {

// Fills `out`, [N, …] float32 and contiguous, on any device, with N(0, 1): row n comes from RandomStream(seed, purpose, step,
// first + n). A GPU may round one number in many millions differently.
void fill_normal(const at::Tensor& out, uint64_t seed, Purpose purpose, uint64_t step, uint64_t first);

// Returns what dropout keeps of `x`, [N, C, H, W] on any device: a bool tensor of the same shape and device, channels last,
// false with `probability` (0 … 1, in steps of 2^-32). The mask of example n follows from seeds[n] ([N] int64, on x's device),
// `layer` and the shape of an example alone: it is the same in another batch, in another memory format and on another device.
// A GPU reads `seeds` when it runs the work, so that a recording may be replayed with other seeds in the same memory.
at::Tensor dropout_mask(const at::Tensor& x, double probability, const at::Tensor& seeds, int64_t layer);

}  // namespace ddpm
