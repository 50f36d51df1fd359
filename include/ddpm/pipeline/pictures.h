#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/image/image.h"

namespace ddpm {

// Converts [N,C,H,W] float32 in [−1, 1] on the CPU to N pictures of 8 bits. Numbers outside that range are clamped.
std::vector<Image> to_images(const at::Tensor& batch);

}  // namespace ddpm
