#include <cmath>

#include <ATen/ATen.h>

#include "ddpm/diffusion/posterior.h"
#include "sampling/samplers.h"

namespace ddpm::sampling {

// Ho et al. 2020 (arXiv 2006.11239), algorithm 2: x_{t−1} = μ(x_t, x̂_0) + √Σ·z.
//
// μ is always formed through x̂_0 (eq. 7). Unclipped it equals the raw form with ε, (x_t − β_t/σ_t·ε)/√α_t, and amplifies
// errors like it: both multiply an error of ε by β_t/(σ_t√α_t). Only clipping bounds that.
at::Tensor sample_ancestral(const SamplingRun& run) {
    const VarianceType variance = run.settings.variance;
    at::Tensor x = run.x_T;
    for (int64_t i = 0; i < run.steps(); ++i) {
        const NoiseLevel &from = run.level(i), &to = run.level(i + 1);
        const PosteriorStep q = posterior_step(from, to);
        const Prediction prediction = run.denoiser.predict(x, from, run.y);
        x = q.coef1 * prediction.pred_x0 + q.coef2 * x;
        if (!to.clean()) {
            const at::Tensor z = run.noise(i).to(x.options());
            if (variance == VarianceType::learned_range)
                x = x + (0.5 * learned_range_log_variance(q, prediction.variance_fraction.value())).exp() * z;
            else
                x = x + std::exp(0.5 * fixed_log_variance(q, variance)) * z;
        }
        x = run.arrive(i, x, prediction.pred_x0);
    }
    return x;
}

}  // namespace ddpm::sampling
