#include "ddpm/sampling/sampler.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/sampling/spacing.h"
#include "sampling/samplers.h"

namespace ddpm {

const std::vector<Sampler>& samplers() {
    static const std::vector<Sampler> table = {
        {"ancestral", "the reverse chain of Ho et al. 2020; wants many steps", true, false, sample_ancestral},
        {"ddim", "Song et al. 2021: good with 20 to 100 steps; without noise unless eta is above 0", false, true,
         sample_ddim},
    };
    return table;
}

const Sampler& sampler_named(const std::string& name) {
    for (const Sampler& sampler : samplers())
        if (sampler.name == name) return sampler;
    user_error(unknown_name("sampler", name, sampler_names()));
}

ResolvedSampling resolve_sampling(const SampleOptions& given, const SampleOptions& fallback,
                                  const NoiseSchedule& schedule) {
    const SampleOptions options = filled_from(given, fallback);
    const std::string name = options.sampler.value_or("ancestral");
    const Sampler& sampler = sampler_named(name);
    if (given.eta && !sampler.has_eta)
        key_error("sample.eta", fmt::format("the {} sampler has none; leave it out or take ddim", sampler.name));
    if (given.variance && !sampler.has_variance)
        key_error(
            "sample.variance",
            fmt::format("the {} sampler has none; leave it out or take ancestral", sampler.name));

    const bool zero_terminal_snr = schedule.sqrt_alphas_cumprod().back() == 0;
    const int64_t T = schedule.size();
    ResolvedSampling settings;
    settings.sampler = sampler.name;
    settings.timesteps = spaced_timesteps(options.timestep_spacing.value_or(zero_terminal_snr ? "trailing" : "leading"),
                                          T, options.steps.value_or(T), options.steps_offset.value_or(0));
    settings.variance = parse_variance_type(options.variance.value_or("fixed_small"));
    settings.eta = options.eta.value_or(settings.eta);
    settings.clip = options.clip.value_or(settings.clip);
    settings.clip_range = options.clip_range.value_or(settings.clip_range);
    return settings;
}

at::Tensor draw(const Denoiser& denoiser, const at::Tensor& x_T, const at::Tensor& y, const ResolvedSampling& settings,
                const NoiseSource& noise, const StepCallback& on_step) {
    if (denoiser.schedule().size() != static_cast<int64_t>(settings.timesteps.size()))
        runtime_failure(fmt::format("sampling: the denoiser walks {} steps, the settings have {}",
                                    denoiser.schedule().size(), settings.timesteps.size()));
    const c10::InferenceMode no_gradients;
    const auto run = [&](const Denoiser& final_denoiser) {
        return sampler_named(settings.sampler).run(final_denoiser, x_T, y, settings, noise, on_step);
    };
    return settings.clip ? run(ClippedDenoiser(denoiser, settings.clip_range, settings.clipped_eps)) : run(denoiser);
}

}  // namespace ddpm
