#include "ddpm/diffusion/level.h"

#include <algorithm>
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

NoiseLevel level_of_ratio(const std::vector<NoiseLevel>& levels, double k) {
    if (!(k > levels.front().ratio())) return levels.front();
    if (!(k < levels.back().ratio())) return levels.back();
    const auto above = std::upper_bound(levels.begin(), levels.end(), k,
                                        [](double ratio, const NoiseLevel& level) { return ratio < level.ratio(); });
    const NoiseLevel &high = *above, &low = *(above - 1);
    // At zero terminal SNR the last k is infinite; a k between it and the one before gives part = 0, the t of the one before.
    const double part = std::log(k / low.ratio()) / std::log(high.ratio() / low.ratio());
    return noise_level(-0.5 * std::log1p(k * k), low.t + part * (high.t - low.t));
}

PosteriorStep posterior_step(const NoiseLevel& from, const NoiseLevel& to) {
    return posterior_step(from, to, -std::expm1(2 * (from.log_alpha - to.log_alpha)));
}

PosteriorStep posterior_step(const NoiseLevel& from, const NoiseLevel& to, double beta) {
    const double one_minus = one_minus_alpha_bar(from), one_minus_to = one_minus_alpha_bar(to);
    return {beta, beta * to.alpha / one_minus, one_minus_to * std::sqrt(1.0 - beta) / one_minus, beta * one_minus_to / one_minus};
}

}  // namespace ddpm
