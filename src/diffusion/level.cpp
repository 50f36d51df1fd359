#include "ddpm/diffusion/level.h"

#include <cmath>

namespace ddpm {

namespace {

// Returns 1 − ᾱ. Near x_0 a subtraction would lose as many digits as β has zeros.
double one_minus_alpha_bar(const NoiseLevel& level) { return -std::expm1(2 * level.log_alpha); }

}  // namespace

NoiseLevel noise_level(double log_alpha, double t) {
    return {std::exp(log_alpha), std::sqrt(-std::expm1(2 * log_alpha)), t, log_alpha};
}

NoiseLevel clean_level() { return {1, 0, -1, 0}; }

PosteriorStep posterior_step(const NoiseLevel& from, const NoiseLevel& to) {
    return posterior_step(from, to, -std::expm1(2 * (from.log_alpha - to.log_alpha)));
}

PosteriorStep posterior_step(const NoiseLevel& from, const NoiseLevel& to, double beta) {
    const double one_minus = one_minus_alpha_bar(from), one_minus_to = one_minus_alpha_bar(to);
    return {beta, beta * to.alpha / one_minus, one_minus_to * std::sqrt(1.0 - beta) / one_minus, beta * one_minus_to / one_minus};
}

}  // namespace ddpm
