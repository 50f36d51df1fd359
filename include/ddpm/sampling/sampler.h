#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/diffusion/posterior.h"
#include "ddpm/sampling/denoiser.h"
#include "ddpm/sampling/noise.h"
#include "ddpm/sampling/options.h"

namespace ddpm {

// SampleOptions with nothing left open.
struct ResolvedSampling {
    std::string sampler = "ancestral";
    std::vector<int64_t> timesteps;                     // strictly ascending; walked from the last to the first
    VarianceType variance = VarianceType::fixed_small;  // ancestral; learned_range wants a network that predicts one
    double eta = 0;                                     // ddim, 0 … 1
    bool clip = true;
    double clip_range = 1;
    ClippedEps clipped_eps = ClippedEps::rederived;
};

// `given` is what was asked for, `fallback` what holds where it is silent; what both leave open becomes ancestral over
// all T, fixed_small, η = 0, clipped to [−1, 1], leading spacing (trailing at zero terminal SNR, which has to begin at
// the last t). user_error: more steps than timesteps; an `eta` or a `variance` given to a sampler that has none.
ResolvedSampling resolve_sampling(const SampleOptions& given, const SampleOptions& fallback,
                                  const NoiseSchedule& schedule);

struct SamplingStep {
    int64_t i;                  // 0 … S−1, the step that was just done
    int64_t S;                  // steps in all
    int64_t t;                  // where it started, as the network knows it
    const at::Tensor& x;        // what it arrived at
    const at::Tensor& pred_x0;  // x̂_0 as seen from where it started
};
using StepCallback = std::function<void(const SamplingStep&)>;  // may be empty

// From x_T to x_0 along the whole of denoiser.schedule(): it adds no noise in the last step.
struct Sampler {
    std::string name;
    std::string summary;
    bool has_variance, has_eta;
    std::function<at::Tensor(const Denoiser& denoiser, const at::Tensor& x_T, const at::Tensor& y,
                             const ResolvedSampling& settings, const NoiseSource& noise, const StepCallback& on_step)>
        run;
};

const std::vector<Sampler>& samplers();  // in the order of sampler_names()
const Sampler& sampler_named(const std::string& name);  // an unknown name is a user_error

// Draws x_0 [N,…] from x_T [N,…] (float32 or float64, on the network's device; y [N] int64 or undefined likewise).
// `denoiser`, unclipped, is over schedule.respaced(settings.timesteps); clipping is added here. No gradients are kept:
// it runs in inference mode, so the result is for looking at and saving.
at::Tensor draw(const Denoiser& denoiser, const at::Tensor& x_T, const at::Tensor& y, const ResolvedSampling& settings,
                const NoiseSource& noise, const StepCallback& on_step = {});

}  // namespace ddpm
