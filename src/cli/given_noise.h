#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "ddpm/pipeline/session.h"

namespace ddpm::cli {

// Reads `x_T`, [N,C,H,W], and if it is there `noise`, [S,N,C,H,W], from a .safetensors file. Both are float32. `shape` is
// {C, H, W} of a picture, S the number of sampling steps. It is a user_error if the file holds anything else, a wrong dtype or
// shape, or values that are not finite. Errors begin with `flag`.
GivenNoise read_noise(const std::filesystem::path& file, const std::vector<int64_t>& shape, int64_t S,
                      const std::string& flag = "--noise");

}  // namespace ddpm::cli
