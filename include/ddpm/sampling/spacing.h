#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ddpm {

// "leading", "trailing", "linspace", which space t, and "karras", "exponential", which space the noise level k = σ/α.
std::vector<std::string> timestep_spacing_names();

// Whether a spacing is one of noise levels, whose t may lie between whole numbers. An unknown one is a user_error.
bool spaces_noise(const std::string& spacing);

// Returns S of the T timesteps, strictly ascending, as diffusers spaces them (arXiv 2305.08891, table 2). leading counts from
// 0 in steps of T//S and adds `offset`; trailing counts down from T−1; linspace spans 0 … T−1. Only leading looks at `offset`.
// S outside 1 … T, an offset that leads beyond T−1 and a spacing that is unknown or one of noise levels are user_errors.
std::vector<int64_t> spaced_timesteps(const std::string& spacing, int64_t T, int64_t S, int64_t offset);

// `count` ≥ 1 noise levels that fall from `high` to `low` (0 < low ≤ high), both to the bit; one alone is `high`. karras: k^(1/rho)
// in even steps (arXiv 2206.00364, eq. 5); exponential: ln k in even steps. Only karras looks at `rho` > 0. user_error: a
// spacing that is unknown or one of timesteps.
std::vector<double> spaced_ratios(const std::string& spacing, int64_t count, double high, double low, double rho);

// user_error about sample.steps unless 1 ≤ S ≤ T.
void check_steps(int64_t S, int64_t T);

}  // namespace ddpm
