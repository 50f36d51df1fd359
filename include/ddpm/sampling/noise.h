#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/core/random.h"

namespace ddpm {

// Returns N(0, I) for sampling step i = 0, 1, … (counted from the noisy end), shaped like x_T, in any floating dtype and on any
// device.
// A sampler asks for the steps in ascending order, and only for those that add noise.
using NoiseSource = std::function<at::Tensor(int64_t i)>;

// Returns N(0, I) for the images first … first + count − 1, [count, …shape] float32. An image's noise follows from (seed, purpose,
// step, its index) alone: it is the same in every batch, and on every device (ddpm/kernels/noise.h).
at::Tensor image_noise(uint64_t seed, Purpose purpose, int64_t step, int64_t first, int64_t count,
                       const std::vector<int64_t>& shape, const c10::Device& device = c10::kCPU);

// Returns x_T for the same images, [count, …shape] float32.
at::Tensor start_noise(uint64_t seed, int64_t first, int64_t count, const std::vector<int64_t>& shape,
                       const c10::Device& device = c10::kCPU);

// Returns the noise of the steps for the same images. That of step i follows from (seed, i, the image's index) alone.
NoiseSource step_noise(uint64_t seed, int64_t first, int64_t count, const std::vector<int64_t>& shape,
                       const c10::Device& device = c10::kCPU);

}  // namespace ddpm
