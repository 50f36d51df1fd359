#include <cmath>

#include <ATen/ATen.h>

#include "sampling/samplers.h"

namespace ddpm::sampling {

namespace {

constexpr double kSteep = 0.01;  // a step over which k falls to less than this share

}  // namespace

// Heun's method of Karras et al. 2022 (arXiv 2206.00364, algorithm 2) for y = x/α over k = σ/α, where dy/dk = (y − x̂_0)/k.
//
// From k̂ to k_t with e = k_t/k̂ Euler's step gives x' = (σ_t/σ)·x + α_t·(1 − e)·x̂_0, and the mean of the slopes at both
// ends adds α_t·(1/e − 1)/2·(x̂_0' − x̂_0), x̂_0' the prediction at x'. So written nothing is divided by α. Over u = 1/k
// the same equation reads d(x/σ)/du = x̂_0; its Euler step is the same x', and its mean of slopes adds α_t·(1 − e)/2·(x̂_0' − x̂_0).
// Both are of second order. The first is the paper's and is taken but for steep steps in much noise, where its factor would turn
// any change of x̂_0 into noise (cosine's first step of ten goes from k = 20291 to 6.4) and where k̂ is infinite (zero terminal SNR).
// The step into the clean level is Euler's, and arrives at x̂_0.
//
// Churn raises k to k̂ before the step, by noise of variance k̂² − k².
at::Tensor sample_heun(const SamplingRun& run) {
    const Churn& churn = run.settings.churn;
    at::Tensor x = run.x_T;
    for (int64_t i = 0; i < run.steps(); ++i) {
        const NoiseLevel &level = run.level(i), &to = run.level(i + 1);
        const NoiseLevel& from = churn.levels.empty() ? level : churn.levels[static_cast<size_t>(i)];
        if (const double k = level.ratio(), raised = from.ratio(); raised > k)
            x = from.alpha / level.alpha * x +
                from.alpha * std::sqrt(raised * raised - k * k) * churn.s_noise * run.noise(i).to(x.options());

        const at::Tensor x0 = run.denoiser.predict(x, from, run.y).pred_x0;
        const double e = to.sigma * from.alpha / (to.alpha * from.sigma);
        x = to.sigma / from.sigma * x + to.alpha * (1 - e) * x0;
        if (!to.clean()) {
            const bool steep = e == 0 || (e < kSteep && to.ratio() > 1);
            x = x + to.alpha * (steep ? 1 - e : 1 / e - 1) / 2 * (run.denoiser.predict(x, to, run.y).pred_x0 - x0);
        }
        x = run.arrive(i, x, x0);
    }
    return x;
}

}  // namespace ddpm::sampling
