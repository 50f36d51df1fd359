#include "ddpm/sampling/sampler.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/sampling/spacing.h"
#include "sampling/samplers.h"

namespace ddpm {

Walk walk_over(const NoiseSchedule& schedule, const std::vector<int64_t>& timesteps) {
    check_timesteps(timesteps, schedule.size());
    Walk levels;
    for (auto t = timesteps.rbegin(); t != timesteps.rend(); ++t) levels.push_back(schedule.level(*t));
    levels.push_back(clean_level());
    return levels;
}

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

ResolvedSampling resolve_sampling(const SampleOptions& given, const SampleOptions& fallback, const NoiseSchedule& schedule) {
    const SampleOptions options = filled_from(filled_from(given, fallback), sample_defaults());
    const SamplerInfo& sampler = sampler_info(*options.sampler);
    check_keys_read(sampler, given);

    const bool zero_terminal_snr = schedule.level(schedule.size() - 1).alpha == 0;
    const int64_t T = schedule.size();
    ResolvedSampling settings;
    settings.sampler = sampler.name;
    std::string spacing = options.timestep_spacing.value_or(zero_terminal_snr ? "trailing" : sampler.spacing);
    const int64_t S = options.steps.value_or(T), offset = options.steps_offset.value_or(0);
    const auto begin_of = [&] { return spaced_timesteps(spacing, T, S, offset).back(); };
    if (const int64_t begin = begin_of(); begin < T - 1 && schedule.sqrt_alphas_cumprod()[begin] > kVisiblePicture) {
        const std::string reason = fmt::format(
            "{} spacing of {} begins at t = {}, where √ᾱ = {:.2f} of the picture is left, but sampling begins with noise", spacing,
            plural(S, "step"), begin, schedule.sqrt_alphas_cumprod()[begin]);
        if (given.timestep_spacing) key_error("sample.timestep_spacing", reason + "; take trailing, or leave the spacing out");
        spacing = "trailing";
        settings.notice = fmt::format("{}; taking trailing spacing, from t = {}", reason, begin_of());
    }
    settings.levels = walk_over(schedule, spaced_timesteps(spacing, T, S, offset));
    settings.variance = parse_variance_type(*options.variance);
    settings.eta = *options.eta;
    settings.clip = *options.clip;
    settings.clip_range = *options.clip_range;
    return settings;
}

std::vector<std::pair<std::string, std::string>> keys_in_force(const ResolvedSampling& settings) {
    SampleOptions options;
    options.variance = name_of(settings.variance);
    options.eta = settings.eta;
    const Json section = sample_fields().write(options);
    std::vector<std::pair<std::string, std::string>> keys;
    for (const std::string& key : sampler_info(settings.sampler).keys) {
        const Json& value = section.at(key);
        keys.emplace_back(key, value.is_string()         ? value.get<std::string>()
                               : value.is_number_float() ? fmt::format("{}", value.get<double>())
                                                         : value.dump());
    }
    return keys;
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
    const auto run = [&](const Denoiser& final_denoiser) {
        return sampler_named(settings.sampler).run({final_denoiser, x_T, y, settings, noise, on_step, hook});
    };
    return settings.clip ? run(ClippedDenoiser(denoiser, settings.clip_range, settings.clipped_eps)) : run(denoiser);
}

}  // namespace ddpm
