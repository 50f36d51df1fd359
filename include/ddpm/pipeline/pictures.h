#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/image/image.h"

namespace ddpm {

// [N,C,H,W] float32 in [−1, 1] on the CPU → N pictures of 8 bits; what lies outside is clamped.
std::vector<Image> to_images(const at::Tensor& batch);

}  // namespace ddpm
