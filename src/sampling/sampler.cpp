#include "ddpm/sampling/sampler.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "sampling/samplers.h"

namespace ddpm {

const std::vector<Sampler>& samplers() {
#define DDPM_SAMPLER(function, ...) {SamplerInfo __VA_ARGS__, sampling::function},
    static const std::vector<Sampler> table = {
#include "sampling/samplers.def"
    };
#undef DDPM_SAMPLER
    return table;
}

const Sampler& sampler_named(const std::string& name) {
    for (const Sampler& sampler : samplers())
        if (sampler.name == name) return sampler;
    user_error(unknown_name("sampler", name, sampler_names()));
}

at::Tensor SamplingRun::arrive(int64_t i, const at::Tensor& x, const at::Tensor& pred_x0) const {
    const at::Tensor kept = hook ? hook(x, i, level(i + 1)) : x;
    if (on_step) on_step({i, steps(), level(i), level(i + 1), kept, pred_x0});
    return kept;
}

at::Tensor sample(const Denoiser& denoiser, const at::Tensor& x_T, const at::Tensor& y, const ResolvedSampling& settings,
                  const NoiseSource& noise, const StepCallback& on_step, const StepHook& hook) {
    if (settings.steps() < 1 || !settings.levels.back().clean())
        runtime_failure("sampling: the levels don't lead from noise to a clean picture");
    const c10::InferenceMode no_gradients;
    return sampling::with_bounds(denoiser, settings, [&](const Denoiser& bounded) {
        return sampler_named(settings.sampler).run({bounded, x_T, y, settings, noise, on_step, hook});
    });
}

at::Tensor sampling::with_bounds(const Denoiser& denoiser, const ResolvedSampling& settings,
                                 const std::function<at::Tensor(const Denoiser&)>& run) {
    if (settings.thresholding) return run(ThresholdedDenoiser(denoiser, *settings.thresholding, settings.clipped_eps));
    return settings.clip ? run(ClippedDenoiser(denoiser, settings.clip_range, settings.clipped_eps)) : run(denoiser);
}

}  // namespace ddpm
