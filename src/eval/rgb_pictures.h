#pragma once

#include <cstdint>
#include <string>

#include <ATen/core/Tensor.h>

#include "ddpm/eval/features.h"

namespace ddpm::eval {

// Says how pictures of a format come to three channels, for a protocol: "", ", grey repeated" or ", alpha over white". Grey with
// alpha is a user error that names the `features`, since its conversion would be a choice that no published number made.
std::string rgb_words(const PictureFormat& format, const std::string& features);

// Takes bytes [n, C, H, W] on the CPU with C of 1, 3 or 4 and returns [n, 3, H, W] bytes: grey repeated, RGBA over white.
at::Tensor to_rgb(const at::Tensor& bytes);

// Resizes bytes [n, C, H, W] on the CPU to [n, C, height, width], as Pillow's BICUBIC does (ddpm/image/transform.h).
at::Tensor resize_bytes(const at::Tensor& bytes, int64_t height, int64_t width);

}  // namespace ddpm::eval
