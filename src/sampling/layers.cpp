// Layers of options: what holds where several say something of one thing, and what would have no effect.

#include <algorithm>

#include <spdlog/fmt/fmt.h>

#include "ddpm/sampling/options.h"

namespace ddpm {

namespace {

// The sampler that options name, and the eta that its name stands for.
struct Choice {
    const SamplerInfo& info;
    std::optional<double> eta{};

    bool operator==(const Choice& other) const { return info.name == other.info.name && eta == other.eta; }
};

Choice chosen(const SampleOptions& options) {
    const std::string name = options.sampler.value_or(*sample_defaults().sampler);
    for (const SamplerInfo& info : sampler_infos())
        for (const SamplerAlias& alias : info.aliases)
            if (alias.name == name) return {info, alias.eta};
    for (const SamplerInfo& info : sampler_infos())
        if (info.name == name) return {info};
    user_error(unknown_name("sampler", name, sampler_spellings()));
}

bool has(const std::vector<std::string>& keys, const std::string& key) {
    return std::find(keys.begin(), keys.end(), key) != keys.end();
}

// The first of the keys that is set; "" for none.
std::string first_set(const Json& section, const std::vector<std::string>& keys) {
    for (const std::string& key : keys)
        if (!section.at(key).is_null()) return key;
    return "";
}

// Reads options whose null keys are taken from `below`.
SampleOptions read_over(Json section, const Json& below) {
    for (auto& item : section.items())
        if (item.value().is_null()) item.value() = below.at(item.key());
    SampleOptions filled;
    sample_fields().read(filled, section, "sample");
    return filled;
}

const std::vector<std::string> kOfSteps = {"steps", "timestep_spacing", "steps_offset", "rho"};

}  // namespace

SampleOptions without_alias(SampleOptions options) {
    if (!options.sampler) return options;
    const Choice choice = chosen(options);
    options.sampler = choice.info.name;
    if (!options.eta) options.eta = choice.eta;
    return options;
}

SampleOptions filled_from(const SampleOptions& upper, const SampleOptions& lower) {
    const Json section = sample_fields().write(upper);
    Json below = sample_fields().write(lower);
    const auto leave_out = [&](const std::vector<std::string>& keys) {
        for (const std::string& key : keys) below[key] = nullptr;
    };
    if (upper.sampler) {
        const Choice named = chosen(upper), other = chosen(lower);
        if (named.info.spacing != other.info.spacing) leave_out({"timestep_spacing", "steps_offset", "rho"});
        if (named.eta) leave_out({"eta"});
        if (!(named == other))
            for (const std::string& key : named.info.keys)
                if (has(other.info.keys, key)) leave_out({key});
    }
    if (!first_set(section, kOfSteps).empty()) leave_out({"timesteps"});
    if (!first_set(section, {"clip", "clip_range"}).empty()) leave_out({"threshold_ratio", "threshold_max"});
    return read_over(section, below);
}

SampleOptions with_defaults(const SampleOptions& options) {
    return read_over(sample_fields().write(without_alias(options)), sample_fields().write(sample_defaults()));
}

void check_keys_read(const SamplerInfo& sampler, const SampleOptions& given, const SampleOptions& filled) {
    const Json section = sample_fields().write(given);
    for (const auto& item : section.items())
        if (!item.value().is_null() && !sampler.reads(item.key()))
            key_error("sample." + item.key(), fmt::format("the {} sampler has none; leave it out or take {}", sampler.name,
                                                          fmt::join(samplers_reading(item.key()), " or ")));
    if (const std::string key = first_set(section, kOfSteps); given.timesteps && !key.empty())
        key_error("sample.timesteps", fmt::format("the list says which t are kept; leave it or sample.{} out", key));
    if (given.threshold_ratio && (given.clip == false || given.clip_range))
        key_error("sample.threshold_ratio", fmt::format("thresholding takes the place of clipping; leave it or sample.{} out",
                                                        given.clip == false ? "clip" : "clip_range"));
    if (given.threshold_max && !filled.threshold_ratio)
        key_error("sample.threshold_max",
                  "nothing is thresholded without sample.threshold_ratio; give that too, or leave this out");
    if (const std::string key = first_set(section, {"s_tmin", "s_tmax", "s_noise"});
        !key.empty() && !given.s_churn && filled.s_churn.value_or(0) == 0)
        key_error("sample." + key, "no noise is added without sample.s_churn; give that too, or leave this out");
    if (const bool rescaled = given.guidance_rescale.value_or(0) > 0;
        (rescaled || given.guidance_interval) && filled.guidance_scale.value_or(1) == 1)
        key_error(rescaled ? "sample.guidance_rescale" : "sample.guidance_interval",
                  "nothing is guided without sample.guidance_scale above or below 1; give that too, or leave this out");
    if (has(sampler.keys, "s_tmax") && filled.s_tmax && filled.s_tmin.value_or(0) > *filled.s_tmax)
        key_error("sample.s_tmin", fmt::format("{} is above sample.s_tmax, {}; expected it below", *filled.s_tmin, *filled.s_tmax));
}

}  // namespace ddpm
