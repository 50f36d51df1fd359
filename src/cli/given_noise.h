#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "ddpm/pipeline/session.h"

namespace ddpm::cli {

// Reads the keys `x_T` and `noise` of a .safetensors file. shape: {C, H, W} of a picture; S: the steps that will be done.
// user_error: anything else in the file, a wrong dtype or shape.
GivenNoise read_noise(const std::filesystem::path& file, const std::vector<int64_t>& shape, int64_t S);

}  // namespace ddpm::cli
