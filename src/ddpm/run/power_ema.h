#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ddpm {

// Averages of the weights with the profile of a power function, and averages that are rebuilt after the training from stored ones:
// Karras et al. 2024 (EDM2, arXiv 2312.02696), section 3 and appendix C. The average after t optimizer updates weighs the
// weights after update τ by
//   p(τ) = (γ + 1)·τ^γ / t^(γ+1),  0 ≤ τ ≤ t.
// Its width is the standard deviation of this profile, as a fraction of t, and names it in place of γ. Everything is in float64.

// The widths that are possible: from kLeastEmaWidth to below greatest_ema_width(), which is 1/√12, that of γ = 0: the mean over all
// of the training.
inline constexpr double kLeastEmaWidth = 0.001;
double greatest_ema_width();
// "0.001 ≤ width < 0.2887"
std::string ema_width_range();

// Throws a user_error about the key or flag `path` if the width is not possible.
void check_ema_width(double width, const std::string& path);

// Returns the γ of a possible width w: the largest root of γ³ + 7γ² + (16 − w⁻²)γ + 12 − w⁻², which follows from
// w² = (γ + 1) / ((γ + 2)²(γ + 3)).
double power_of_width(double width);

// Returns the decay β of update n, counted from 1: θ̂ ← βθ̂ + (1 − β)θ with β = (1 − 1/n)^(γ+1). The first update copies.
double power_ema_decay(int64_t n, double gamma);

// An average: t > 0 updates, profile γ ≥ 0.
struct PowerAverage {
    double t = 0, gamma = 0;
};

// The stored averages' weights in the sum that comes nearest to the wanted average, and how near it comes.
struct Reconstruction {
    std::vector<double> weights;  // one for each stored average; their sum is 1
    // The relative error of the profile, ‖Σ wᵢpᵢ − p‖ / ‖p‖. It may be above 1.
    double residual = 0;
    // The expected error of the rebuilt weights, for weights that have done a random walk, as a fraction of the expected distance
    // between the wanted average and the last weights.
    double error = 0;
};

// Solves the least squares of section 3.2: weights that minimize ‖Σ wᵢpᵢ − p‖², then divided by their sum. `stored` must not be
// empty, and no average may be in it twice.
Reconstruction reconstruct(const std::vector<PowerAverage>& stored, const PowerAverage& wanted);

}  // namespace ddpm
