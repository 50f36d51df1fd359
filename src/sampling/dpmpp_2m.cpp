#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include "sampling/samplers.h"

namespace ddpm::sampling {

// DPM-Solver++(2M) (Lu et al. 2022, arXiv 2211.01095, algorithm 2), from level s to the next one t. With k = σ/a,
// λ = −ln k and h = λ_t − λ_s:
//   x_t = (σ_t/σ_s)·e^{−ηh}·x_s + a_t·(1 − e^{−(1+η)h})·D + σ_t·√(1 − e^{−2ηh})·z,   D = x̂_0(s) + (x̂_0(s) − x̂_0(r))·h/(2h₁),
// where r is the level before s and h₁ the step in λ from r to s. η = 0 solves the ODE and η = 1 the SDE (SDE-DPM-Solver++(2M),
// appendix B there); between them η is an exponent and not DDIM's factor.
//
// e^{−h} = k_t/k_s is formed without logarithms, so that it holds at both ends: into the clean level and out of zero terminal
// SNR it is 0. If there is no h₁, or h or h₁ is infinite, D is x̂_0(s), of first order; so the last step arrives at x̂_0(s).
at::Tensor sample_dpmpp_2m(const SamplingRun& run) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    const double eta = run.settings.eta;
    at::Tensor x = run.x_T, x0_before;
    double h_before = infinity;
    for (int64_t i = 0; i < run.steps(); ++i) {
        const NoiseLevel &from = run.level(i), &to = run.level(i + 1);
        const double ratio = to.sigma * from.alpha / (to.alpha * from.sigma);  // e^{−h}
        const double h = ratio > 0 ? -std::log(ratio) : infinity;

        const at::Tensor x0 = run.denoiser.predict(x, from, run.y).pred_x0;
        const bool second_order = std::isfinite(h) && std::isfinite(h_before);
        const at::Tensor D = second_order ? x0 + h / (2 * h_before) * (x0 - x0_before) : x0;
        x = to.sigma / from.sigma * std::pow(ratio, eta) * x + to.alpha * (1 - std::pow(ratio, 1 + eta)) * D;
        if (eta > 0 && !to.clean()) x = x + to.sigma * std::sqrt(1 - std::pow(ratio, 2 * eta)) * run.noise(i).to(x.options());
        x0_before = x0;
        h_before = h;
        x = run.arrive(i, x, x0);
    }
    return x;
}

}  // namespace ddpm::sampling
