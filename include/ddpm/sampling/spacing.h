#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ddpm {

std::vector<std::string> timestep_spacing_names();  // "leading", "trailing", "linspace"

// Returns S of the T timesteps, strictly ascending, as diffusers spaces them (arXiv 2305.08891, table 2). leading counts from
// 0 in steps of T//S and adds `offset`; trailing counts down from T−1; linspace spans 0 … T−1. Only leading looks at `offset`.
// S outside 1 … T, an offset that leads beyond T−1 and an unknown spacing are user_errors.
std::vector<int64_t> spaced_timesteps(const std::string& spacing, int64_t T, int64_t S, int64_t offset);

}  // namespace ddpm
