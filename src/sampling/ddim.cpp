#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "sampling/samplers.h"

namespace ddpm {

// Song et al. 2021 (arXiv 2010.02502), eq. 12 and 16, from t to the next time p of the list, ᾱ_p = 1 after the last:
//   x_p = a_p·x̂_0 + √(1 − ᾱ_p − σ_η²)·ε̂ + σ_η·z,   σ_η = η·√((1−ᾱ_p)/(1−ᾱ_t))·√(1 − ᾱ_t/ᾱ_p).
// The schedule is the list, so its 1 − ᾱ_t/ᾱ_p is β_t and σ_η² is η²·β̃_t. With η = 1 this is the ancestral step.
at::Tensor sample_ddim(const Denoiser& denoiser, const at::Tensor& x_T, const at::Tensor& y,
                       const ResolvedSampling& settings, const NoiseSource& noise, const StepCallback& on_step) {
    const NoiseSchedule& schedule = denoiser.schedule();
    const int64_t S = schedule.size();
    at::Tensor x = x_T;
    for (int64_t i = 0; i < S; ++i) {
        const int64_t t = S - 1 - i, p = t - 1;
        const double a_p = p < 0 ? 1.0 : schedule.sqrt_alphas_cumprod()[p];
        const double sigma_p = p < 0 ? 0.0 : schedule.sqrt_one_minus_alphas_cumprod()[p];
        const double sigma_eta = settings.eta * std::sqrt(schedule.posterior_variance()[t]);

        const Prediction prediction = denoiser.predict(x, t, y);
        // At zero terminal SNR σ_η reaches √(1−ᾱ_p), and the difference may round below 0.
        const double direction = std::sqrt(std::max(0.0, sigma_p * sigma_p - sigma_eta * sigma_eta));
        x = a_p * prediction.pred_x0 + direction * prediction.pred_eps;
        if (sigma_eta > 0) x = x + sigma_eta * noise(i).to(x.options());
        if (on_step) on_step({i, S, schedule.original_t()[t], x, prediction.pred_x0});
    }
    return x;
}

}  // namespace ddpm
