#include "ddpm/sampling/options.h"

#include <algorithm>

#include <spdlog/fmt/fmt.h>

#include "ddpm/diffusion/types.h"
#include "ddpm/sampling/spacing.h"

namespace ddpm {

const std::vector<SamplerInfo>& sampler_infos() {
#define DDPM_SAMPLER(function, ...) SamplerInfo __VA_ARGS__,
    static const std::vector<SamplerInfo> infos = {
#include "sampling/samplers.def"
    };
#undef DDPM_SAMPLER
    return infos;
}

bool SamplerInfo::reads(const std::string& key) const {
    return std::find(keys.begin(), keys.end(), key) != keys.end() || samplers_reading(key).empty();
}

std::vector<std::string> sampler_names() {
    std::vector<std::string> names;
    for (const SamplerInfo& info : sampler_infos()) names.push_back(info.name);
    return names;
}

const SamplerInfo& sampler_info(const std::string& name) {
    for (const SamplerInfo& info : sampler_infos())
        if (info.name == name) return info;
    user_error(unknown_name("sampler", name, sampler_names()));
}

std::vector<std::string> samplers_reading(const std::string& key) {
    std::vector<std::string> names;
    for (const SamplerInfo& info : sampler_infos())
        if (std::find(info.keys.begin(), info.keys.end(), key) != info.keys.end()) names.push_back(info.name);
    return names;
}

void check_keys_read(const SamplerInfo& sampler, const SampleOptions& given) {
    const Json section = sample_fields().write(given);
    for (const auto& item : section.items())
        if (!item.value().is_null() && !sampler.reads(item.key()))
            key_error("sample." + item.key(), fmt::format("the {} sampler has none; leave it out or take {}", sampler.name,
                                                          fmt::join(samplers_reading(item.key()), " or ")));
}

const SampleOptions& sample_defaults() {
    static const SampleOptions defaults = {
        .sampler = "ancestral", .variance = "fixed_small", .eta = 0, .clip = true, .clip_range = 1, .steps_offset = 0};
    return defaults;
}

namespace {

using Member = std::optional<std::string> SampleOptions::*;

void add_choice(FieldTable<SampleOptions>& table, const std::string& name, Member member, const std::vector<std::string>& allowed,
                const std::string& meaning) {
    table.custom(
        {name, "text or null", {}, join(allowed), meaning},
        [=](SampleOptions& options, const Json& value, const std::string& path) {
            options.*member = value.is_null() ? std::nullopt : std::optional(read_choice(value, path, allowed));
        },
        [=](const SampleOptions& options) { return options.*member ? Json(*(options.*member)) : Json(); });
}

// Returns the spacing of most rows, and the rows that differ: "leading (X: trailing)".
std::string own_spacings() {
    const std::string usual = SamplerInfo().spacing;
    std::vector<std::string> others;
    for (const SamplerInfo& info : sampler_infos())
        if (info.spacing != usual) others.push_back(info.name + ": " + info.spacing);
    return others.empty() ? usual : fmt::format("{} ({})", usual, join(others));
}

FieldTable<SampleOptions> make_fields() {
    using S = SampleOptions;
    const S& defaults = sample_defaults();
    // Says which samplers read a key, if not all do, what it means, and what null stands for.
    const auto meaning = [](const std::string& key, const std::string& text, const auto& when_null) {
        const std::vector<std::string> readers = samplers_reading(key);
        return fmt::format("{}{}{}; null: {}", join(readers), readers.empty() ? "" : ": ", text, when_null);
    };
    FieldTable<S> table;
    add_choice(table, "sampler", &S::sampler, sampler_names(),
               meaning("sampler", "how x_0 is drawn from noise", *defaults.sampler));
    table.add("steps", &S::steps, Range::between(1, 1e6),
              meaning("steps", "sampling steps, at most diffusion.timesteps", "all of them"));
    add_choice(table, "variance", &S::variance, variance_type_names(),
               meaning("variance", "the noise of a step", "diffusion.variance_type"));
    table.add("eta", &S::eta, Range::between(0, 1),
              meaning("eta", "noise of a step, from 0 (none) to 1 (as much as ancestral with fixed_small)", *defaults.eta));
    table.custom(
        {"clip", "true or false or null", {}, {}, meaning("clip", "keep the predicted image within clip_range", *defaults.clip)},
        [](S& options, const Json& value, const std::string& path) {
            options.clip = value.is_null() ? std::nullopt : std::optional(read_boolean(value, path));
        },
        [](const S& options) { return options.clip ? Json(*options.clip) : Json(); });
    table.add("clip_range", &S::clip_range, Range::above(0),
              meaning("clip_range", "bound of the predicted image's values", *defaults.clip_range));
    add_choice(table, "timestep_spacing", &S::timestep_spacing, timestep_spacing_names(),
               meaning("timestep_spacing", "which t are kept when steps are fewer",
                       own_spacings() + ", or trailing with diffusion.zero_terminal_snr"));
    table.add("steps_offset", &S::steps_offset, Range::between(0, 1e6),
              meaning("steps_offset", "leading: added to each t", *defaults.steps_offset));
    table.all_free_on_resume();
    return table;
}

}  // namespace

const FieldTable<SampleOptions>& sample_fields() {
    static const FieldTable<SampleOptions> table = make_fields();
    return table;
}

SampleOptions filled_from(const SampleOptions& upper, const SampleOptions& lower) {
    const auto spacing_of = [](const SampleOptions& options) {
        return sampler_info(options.sampler.value_or(*sample_defaults().sampler)).spacing;
    };
    Json section = sample_fields().write(upper), below = sample_fields().write(lower);
    if (upper.sampler && spacing_of(upper) != spacing_of(lower))
        for (const char* key : {"timestep_spacing", "steps_offset"}) below[key] = nullptr;
    for (auto& item : section.items())
        if (item.value().is_null()) item.value() = below[item.key()];
    SampleOptions filled;
    sample_fields().read(filled, section, "sample");
    return filled;
}

}  // namespace ddpm
