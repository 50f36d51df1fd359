#include <cmath>

#include <ATen/ATen.h>

#include "sampling/samplers.h"

namespace ddpm::sampling {

// Heun's method of Karras et al. 2022 (arXiv 2206.00364, algorithm 2) for y = x/α over k = σ/α, where dy/dk = (y − x̂_0)/k.
//
// From k̂ to k_t with e = k_t/k̂ Euler's step gives x' = (σ_t/σ)·x + α_t·(1 − e)·x̂_0, and the mean of the slopes at both
// ends adds α_t·(1/e − 1)/2·(x̂_0' − x̂_0), x̂_0' the prediction at x'. So written nothing is divided by α. Out of zero
// terminal SNR, where k̂ is infinite, the same equation over u = 1/k reads d(x/σ)/du = x̂_0; its Euler step is the same x', and
// its mean of slopes adds α_t·½·(x̂_0' − x̂_0). The step into the clean level is Euler's, and arrives at x̂_0.
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
            const double weight = e > 0 ? (1 / e - 1) / 2 : 0.5;
            x = x + to.alpha * weight * (run.denoiser.predict(x, to, run.y).pred_x0 - x0);
        }
        x = run.arrive(i, x, x0);
    }
    return x;
}

}  // namespace ddpm::sampling
