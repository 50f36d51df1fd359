#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "sampling/samplers.h"

namespace ddpm::sampling {

// Song et al. 2021 (arXiv 2010.02502), eq. 12 and 16, from level t to the next one p:
//   x_p = a_p·x̂_0 + √(1 − ᾱ_p − σ_η²)·ε̂ + σ_η·z,   σ_η = η·√((1−ᾱ_p)/(1−ᾱ_t))·√(1 − ᾱ_t/ᾱ_p).
// 1 − ᾱ_t/ᾱ_p is β of that step, and σ_η² is η²·β̃. With η = 1 this is the ancestral step.
at::Tensor sample_ddim(const SamplingRun& run) {
    at::Tensor x = run.x_T;
    for (int64_t i = 0; i < run.steps(); ++i) {
        const NoiseLevel &from = run.level(i), &to = run.level(i + 1);
        const double sigma_eta = run.settings.eta * std::sqrt(posterior_step(from, to).variance);

        const Prediction prediction = run.denoiser.predict(x, from, run.y);
        // At zero terminal SNR σ_η reaches √(1−ᾱ_p), and the difference may round below 0.
        const double direction = std::sqrt(std::max(0.0, to.sigma * to.sigma - sigma_eta * sigma_eta));
        x = to.alpha * prediction.pred_x0 + direction * prediction.pred_eps;
        if (sigma_eta > 0) x = x + sigma_eta * run.noise(i).to(x.options());
        x = run.arrive(i, x, prediction.pred_x0);
    }
    return x;
}

}  // namespace ddpm::sampling
