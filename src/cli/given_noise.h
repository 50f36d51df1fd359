#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/sampling/noise.h"

namespace ddpm {

// Noise from a file instead of from a seed, so that any two programs can be compared picture by picture: x_T [N,C,H,W]
// and, if the file has it, the noise of every step, [S,N,C,H,W], counted from the noisy end. float32.
struct GivenNoise {
    at::Tensor x_T;
    std::optional<at::Tensor> steps;

    // The noise of the steps for images first … first + count − 1. Only where `steps` is there.
    NoiseSource step_noise(int64_t first, int64_t count) const;
};

// Reads the keys `x_T` and `noise` of a .safetensors file. shape: {C, H, W} of a picture; S: the steps that will be done.
// user_error: anything else in the file, a wrong dtype or shape.
GivenNoise read_noise(const std::filesystem::path& file, const std::vector<int64_t>& shape, int64_t S);

}  // namespace ddpm
