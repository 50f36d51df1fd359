#include <algorithm>
#include <cmath>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/sampling/sampler.h"

namespace ddpm {

namespace {

// Sets the levels, what they were made by and perhaps the notice.
void settle_walk(ResolvedSampling& settings, const SampleOptions& given, const SampleOptions& options,
                 const NoiseSchedule& schedule, bool from_picture) {
    const int64_t T = schedule.size(),
                  S = options.timesteps ? static_cast<int64_t>(options.timesteps->size()) : options.steps.value_or(T);
    const bool zero_terminal_snr = schedule.level(T - 1).alpha == 0;
    const auto take = [&](const std::string& spacing) {
        settings.spacing = spacing;
        settings.levels = spaced_walk(schedule, spacing, S, settings.steps_offset, settings.rho);
    };
    if (options.timesteps) {
        if (options.timesteps->front() >= T)
            key_error("sample.timesteps",
                      fmt::format("{} is beyond the schedule; expected 0 … {}", options.timesteps->front(), T - 1));
        settings.levels = walk_over(schedule, {options.timesteps->rbegin(), options.timesteps->rend()});
    } else {
        take(options.timestep_spacing.value_or(zero_terminal_snr ? "trailing" : sampler_info(settings.sampler).spacing));
    }
    if (given.rho && settings.spacing != "karras")
        key_error("sample.rho", "only karras spacing has it; leave it out or take that spacing");
    const NoiseLevel begin = settings.levels.front();
    if (from_picture || begin.t == static_cast<double>(T - 1) || begin.alpha <= kVisiblePicture) return;
    const std::string what =
        options.timesteps ? "the list of " + plural(S, "timestep") : settings.spacing + " spacing of " + plural(S, "step");
    const std::string reason =
        fmt::format("{} begins at t = {}, where √ᾱ = {:.2f} of the picture is left, but sampling begins with noise", what, begin.t,
                    begin.alpha);
    if (given.timesteps) key_error("sample.timesteps", fmt::format("{}; begin nearer to {}", reason, T - 1));
    if (given.timestep_spacing) key_error("sample.timestep_spacing", reason + "; take trailing, or leave the spacing out");
    take("trailing");
    settings.notice = fmt::format("{}; taking trailing spacing, from t = {}", reason, settings.levels.front().t);
}

void settle_churn(ResolvedSampling& settings, const SampleOptions& options, const NoiseSchedule& schedule) {
    Churn& churn = settings.churn;
    churn.s_churn = *options.s_churn;
    churn.s_tmin = *options.s_tmin;
    churn.s_tmax = options.s_tmax.value_or(churn.s_tmax);
    churn.s_noise = *options.s_noise;
    const std::vector<std::string>& keys = sampler_info(settings.sampler).keys;
    if (churn.s_churn == 0 || std::find(keys.begin(), keys.end(), "s_churn") == keys.end()) return;
    churn.levels = churned_levels(settings.levels, schedule, churn.s_churn, churn.s_tmin, churn.s_tmax);
    for (size_t i = 0; i < churn.levels.size(); ++i)
        if (churn.levels[i].ratio() > settings.levels[i].ratio()) return;
    settings.notice +=
        fmt::format("{}no noise is added: no step that could begin at more of it has a noise level between {} and {}",
                    settings.notice.empty() ? "" : "; ", churn.s_tmin, churn.s_tmax);
}

void settle_guidance(ResolvedSampling& settings, const SampleOptions& options) {
    Guidance& guidance = settings.guidance;
    guidance.scale = *options.guidance_scale;
    guidance.rescale = *options.guidance_rescale;
    if (options.guidance_interval) {
        guidance.low = options.guidance_interval->low;
        guidance.high = options.guidance_interval->high;
    }
    if (!guidance.on()) return;
    for (const NoiseLevel& level : settings.asked())
        if (guidance.at(level)) return;
    settings.notice += fmt::format("{}nothing is guided: no step has a noise level above {} and up to {}",
                                   settings.notice.empty() ? "" : "; ", guidance.low, guidance.high);
}

}  // namespace

ResolvedSampling resolve_sampling(const SampleOptions& given, const SampleOptions& fallback, const NoiseSchedule& schedule,
                                  bool from_picture) {
    const SampleOptions options = with_defaults(filled_from(given, fallback));
    ResolvedSampling settings;
    settings.sampler = *options.sampler;
    check_keys_read(sampler_info(settings.sampler), without_alias(given), options);
    settings.steps_offset = *options.steps_offset;
    settings.rho = *options.rho;
    settle_walk(settings, given, options, schedule, from_picture);
    settle_churn(settings, options, schedule);
    settle_guidance(settings, options);
    settings.variance = parse_variance_type(*options.variance);
    settings.eta = *options.eta;
    settings.order = *options.order;
    settings.clip = *options.clip;
    settings.clip_range = *options.clip_range;
    if (options.threshold_ratio)
        settings.thresholding = Thresholding{*options.threshold_ratio, options.threshold_max.value_or(Thresholding{}.max)};
    return settings;
}

std::vector<NoiseLevel> ResolvedSampling::asked() const {
    std::vector<NoiseLevel> asked(levels.begin(), levels.end() - 1);
    asked.insert(asked.end(), churn.levels.begin(), churn.levels.end());
    return asked;
}

bool adds_noise(const ResolvedSampling& settings) {
    const std::vector<std::string>& keys = sampler_info(settings.sampler).keys;
    const auto has = [&](const char* key) { return std::find(keys.begin(), keys.end(), key) != keys.end(); };
    if (has("variance") || (has("eta") && settings.eta > 0)) return true;
    for (size_t i = 0; i < settings.churn.levels.size(); ++i)
        if (settings.churn.levels[i].ratio() > settings.levels[i].ratio()) return true;
    return false;
}

// A step asks at its beginning, churned or not, and what it asks beyond that at its end.
int64_t ResolvedSampling::evaluations(int64_t first) const {
    const SamplerInfo& info = sampler_info(sampler);
    const auto cost = [this](const NoiseLevel& level) { return guidance.at(level) ? 2 : 1; };
    int64_t all = 0;
    for (int64_t i = first; i < steps(); ++i) {
        const auto index = static_cast<size_t>(i);
        const int64_t asked = info.evaluations(steps() - i) - info.evaluations(steps() - i - 1);
        all += cost(churn.levels.empty() ? levels[index] : churn.levels[index]);
        if (asked > 1) all += (asked - 1) * cost(levels[index + 1]);
    }
    return all;
}

std::vector<std::pair<std::string, std::string>> keys_in_force(const ResolvedSampling& settings) {
    const auto bound = [](double value) { return std::isinf(value) ? std::nullopt : std::optional(value); };
    SampleOptions options;
    options.variance = name_of(settings.variance);
    options.eta = settings.eta;
    options.order = settings.order;
    options.s_churn = settings.churn.s_churn;
    options.s_tmin = settings.churn.s_tmin;
    options.s_tmax = bound(settings.churn.s_tmax);
    options.s_noise = settings.churn.s_noise;
    options.timestep_spacing = settings.spacing;
    options.steps_offset = settings.steps_offset;
    options.rho = settings.rho;
    if (settings.thresholding) {
        options.threshold_ratio = settings.thresholding->ratio;
        options.threshold_max = bound(settings.thresholding->max);
    }
    const Json section = sample_fields().write(options);
    std::vector<std::pair<std::string, std::string>> keys;
    const auto add = [&](const std::string& key) {
        const Json& value = section.at(key);
        keys.emplace_back(key, value.is_null()           ? "none"
                               : value.is_string()       ? value.get<std::string>()
                               : value.is_number_float() ? fmt::format("{}", value.get<double>())
                                                         : value.dump());
    };
    for (const std::string& key : sampler_info(settings.sampler).keys) add(key);
    if (settings.spacing.empty()) {
        std::vector<std::string> times;
        for (int64_t i = 0; i < settings.steps(); ++i)
            times.push_back(fmt::format("{}", settings.levels[static_cast<size_t>(i)].t));
        keys.emplace_back("timesteps", join(times, ","));
    } else {
        add("timestep_spacing");
        if (settings.spacing == "leading" && settings.steps_offset > 0) add("steps_offset");
        if (settings.spacing == "karras") add("rho");
    }
    if (settings.thresholding) {
        add("threshold_ratio");
        add("threshold_max");
    } else {
        keys.emplace_back("clip", settings.clip ? fmt::format("{}", settings.clip_range) : "none");
    }
    if (const Guidance& guidance = settings.guidance; guidance.on()) {
        keys.emplace_back("guidance_scale", fmt::format("{}", guidance.scale));
        if (guidance.rescale > 0) keys.emplace_back("guidance_rescale", fmt::format("{}", guidance.rescale));
        if (guidance.low > 0 || !std::isinf(guidance.high))
            keys.emplace_back("guidance_interval", fmt::format("{},{}", guidance.low, guidance.high));
    }
    return keys;
}

}  // namespace ddpm
