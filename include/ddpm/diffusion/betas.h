#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ddpm/diffusion/options.h"

namespace ddpm {

// The rules that make β_0 … β_{T−1}, in float64. T ≥ 1. Rules that give ᾱ make β_t = 1 − ᾱ((t+1)/T)/ᾱ(t/T).

// β evenly spaced from `beta_start` to `beta_end` (Ho et al., arXiv 2006.11239, section 4).
std::vector<double> linear_betas(int64_t T, double beta_start, double beta_end);

// √β evenly spaced (latent diffusion, arXiv 2112.10752).
std::vector<double> scaled_linear_betas(int64_t T, double beta_start, double beta_end);

// ᾱ(u) = f(u)/f(0), f(u) = cos²((u+s)/(1+s)·π/2), s = 0.008; β ≤ 0.999 (arXiv 2102.09672, eq. 17).
std::vector<double> cosine_betas(int64_t T);

// ᾱ(u) = (S(3) − S(6u−3)) / (S(3) − S(−3)), S the logistic function; β ≤ 0.999 (arXiv 2212.11972, start −3, end 3, τ 1).
std::vector<double> sigmoid_betas(int64_t T);

// What diffusers calls "sigmoid", for models trained with it: β = S(linspace(−6, 6, T))·(β_end − β_start) + β_start.
std::vector<double> diffusers_sigmoid_betas(int64_t T, double beta_start, double beta_end);

// √ᾱ shifted and stretched so that the last one is 0 and the first one stays (arXiv 2305.08891, algorithm 1). The last β of
// the result is exactly 1. Fewer than two betas are a user_error.
std::vector<double> zero_terminal_snr_betas(const std::vector<double>& betas);

// A schedule that a configuration can name.
struct NoiseScheduleRule {
    std::string name;
    std::string summary;
    std::function<std::vector<double>(const DiffusionOptions&)> betas;  // before zero_terminal_snr
};
const std::vector<NoiseScheduleRule>& noise_schedules();
std::vector<std::string> noise_schedule_names();
const NoiseScheduleRule& noise_schedule_rule(const std::string& name);  // an unknown name is a user_error

// Returns the betas of checked options, changed by zero_terminal_snr if that is set.
std::vector<double> make_betas(const DiffusionOptions& options);

}  // namespace ddpm
