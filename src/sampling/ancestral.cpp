#include <cmath>

#include <ATen/ATen.h>

#include "sampling/samplers.h"

namespace ddpm {

// Ho et al. 2020 (arXiv 2006.11239), algorithm 2: x_{t−1} = μ(x_t, x̂_0) + √Σ·z.
//
// μ is always formed through x̂_0 (eq. 7). Unclipped it equals the raw form with ε, (x_t − β_t/σ_t·ε)/√α_t, also in how
// it amplifies errors: both multiply one of ε by β_t/(σ_t√α_t). Only clipping bounds it.
at::Tensor sample_ancestral(const Denoiser& denoiser, const at::Tensor& x_T, const at::Tensor& y,
                            const ResolvedSampling& settings, const NoiseSource& noise, const StepCallback& on_step) {
    const NoiseSchedule& schedule = denoiser.schedule();
    const int64_t S = schedule.size();
    at::Tensor x = x_T;
    for (int64_t i = 0; i < S; ++i) {
        const int64_t t = S - 1 - i;
        const Prediction prediction = denoiser.predict(x, t, y);
        x = schedule.posterior_mean_coef1()[t] * prediction.pred_x0 + schedule.posterior_mean_coef2()[t] * x;
        if (t > 0) {
            const at::Tensor z = noise(i).to(x.options());
            if (settings.variance == VarianceType::learned_range)
                x = x + (0.5 * prediction.log_variance.value()).exp() * z;
            else
                x = x + std::exp(0.5 * fixed_log_variance(schedule, settings.variance, t)) * z;
        }
        if (on_step) on_step({i, S, schedule.original_t()[t], x, prediction.pred_x0});
    }
    return x;
}

}  // namespace ddpm
