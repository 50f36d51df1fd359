#pragma once

#include <vector>

namespace ddpm {

// How noisy an x is: x = α·x_0 + σ·ε with α² + σ² = 1. k = σ/α is the noise level of Karras et al. (arXiv 2206.00364).
struct NoiseLevel {
    double alpha;      // √ᾱ; 0 at zero terminal SNR
    double sigma;      // √(1−ᾱ)
    double t;          // the t that the network gets, in the T of its training; may lie between whole numbers
    double log_alpha;  // ln α, −∞ for α = 0: 1 − ᾱ and 1 − ᾱ_t/ᾱ_p follow from it without cancellation

    double ratio() const { return sigma / alpha; }  // k; infinite for α = 0
    bool clean() const { return sigma == 0; }
};

// Returns the level of this ln α, at most 0, and this t.
NoiseLevel noise_level(double log_alpha, double t);

// The level of x_0 itself. Its t is −1, because t = 0 already carries one step of noise; no network is asked there.
NoiseLevel clean_level();

// The level with σ/α = k, k ≥ 0, among `levels` (at least one, k ascending; the last k may be infinite). Its t is linear in ln k
// between theirs. A k beyond them gives the level at that end: no network has been trained with any other.
NoiseLevel level_of_ratio(const std::vector<NoiseLevel>& levels, double k);

// q(x_to | x_from, x_0) = N(coef1·x_0 + coef2·x_from, variance) (arXiv 2006.11239, eq. 6 and 7).
struct PosteriorStep {
    double beta;  // β = 1 − ᾱ_from/ᾱ_to, the variance of q(x_from | x_to)
    double coef1, coef2;
    double variance;  // β̃ = β·(1−ᾱ_to)/(1−ᾱ_from); 0 where `to` is clean
};
// `from` is the noisier one.
PosteriorStep posterior_step(const NoiseLevel& from, const NoiseLevel& to);
// The same with a β that is known to more digits.
PosteriorStep posterior_step(const NoiseLevel& from, const NoiseLevel& to, double beta);

}  // namespace ddpm
