#include "ddpm/sampling/options.h"

#include <algorithm>
#include <cmath>
#include <limits>

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

std::vector<std::string> sampler_spellings() {
    std::vector<std::string> spellings = sampler_names();
    for (const SamplerInfo& info : sampler_infos())
        for (const SamplerAlias& alias : info.aliases) spellings.push_back(alias.name);
    return spellings;
}

const SamplerInfo& sampler_info(const std::string& name) {
    for (const SamplerInfo& info : sampler_infos())
        if (info.name == name) return info;
    user_error(unknown_name("sampler", name, sampler_names()));
}

std::string describe_samplers() {
    std::vector<std::string> names;
    for (const SamplerInfo& info : sampler_infos()) {
        std::vector<std::string> aliases;
        for (const SamplerAlias& alias : info.aliases)
            aliases.push_back(alias.eta ? fmt::format("{}: eta {}", alias.name, *alias.eta) : alias.name);
        names.push_back(info.name + (aliases.empty() ? "" : " (" + join(aliases) + ")"));
    }
    return join(names);
}

std::vector<std::string> samplers_reading(const std::string& key) {
    std::vector<std::string> names;
    for (const SamplerInfo& info : sampler_infos())
        if (std::find(info.keys.begin(), info.keys.end(), key) != info.keys.end()) names.push_back(info.name);
    return names;
}

const SampleOptions& sample_defaults() {
    static const SampleOptions defaults = {.sampler = "ancestral",
                                           .variance = "fixed_small",
                                           .eta = 0,
                                           .order = 2,
                                           .s_churn = 0,
                                           .s_tmin = 0,
                                           .s_noise = 1,
                                           .clip = true,
                                           .clip_range = 1,
                                           .guidance_scale = 1,
                                           .guidance_rescale = 0,
                                           .steps_offset = 0,
                                           .rho = 7};
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

void add_timesteps(FieldTable<SampleOptions>& table, const std::string& meaning) {
    table.custom(
        {"timesteps", "list of integers or null", {}, "falling, each 0 … T−1", meaning},
        [](SampleOptions& options, const Json& value, const std::string& path) {
            options.timesteps.reset();
            if (value.is_null()) return;
            const std::vector<int64_t> times = read_integers(value, path, Range::between(0, 1e6));
            if (times.empty()) wrong_value(value, path, "at least one t");
            for (size_t i = 1; i < times.size(); ++i)
                if (times[i] >= times[i - 1])
                    key_error(path,
                              fmt::format("{} follows {}; expected a falling list, from noise to picture", times[i], times[i - 1]));
            options.timesteps = times;
        },
        [](const SampleOptions& options) { return options.timesteps ? Json(*options.timesteps) : Json(); });
}

void add_interval(FieldTable<SampleOptions>& table, const std::string& meaning) {
    table.custom(
        {"guidance_interval", "list of two numbers or null", {}, "[LO, HI], 0 ≤ LO < HI; HI null: no bound", meaning},
        [](SampleOptions& options, const Json& value, const std::string& path) {
            options.guidance_interval.reset();
            if (value.is_null()) return;
            if (!value.is_array() || value.size() != 2) wrong_value(value, path, "two noise levels, [LO, HI]");
            const double low = read_number(value[0], path + "[0]", Range::at_least(0));
            const double high = value[1].is_null() ? std::numeric_limits<double>::infinity()
                                                   : read_number(value[1], path + "[1]", Range::at_least(0));
            if (!(low < high))
                key_error(path, fmt::format("no noise level lies above {} and up to {}; expected the lower one first", low, high));
            options.guidance_interval = NoiseInterval{low, high};
        },
        [](const SampleOptions& options) {
            if (!options.guidance_interval) return Json();
            const auto [low, high] = *options.guidance_interval;
            return Json::array({Json(low), std::isinf(high) ? Json() : Json(high)});
        });
}

// Says which samplers read a key, if not all do, what it means, and what null stands for.
template <class WhenNull>
std::string meaning(const std::string& key, const std::string& text, const WhenNull& when_null) {
    const std::vector<std::string> readers = samplers_reading(key);
    return fmt::format("{}{}{}; null: {}", join(readers), readers.empty() ? "" : ": ", text, when_null);
}

FieldTable<SampleOptions> make_fields() {
    using S = SampleOptions;
    const S& defaults = sample_defaults();
    FieldTable<S> table;
    add_choice(table, "sampler", &S::sampler, sampler_spellings(),
               meaning("sampler", "how x_0 is drawn from noise: " + describe_samplers(), *defaults.sampler));
    table.add("steps", &S::steps, Range::between(1, 1e6),
              meaning("steps", "sampling steps, at most diffusion.timesteps", "all of them"));
    add_timesteps(table, meaning("timesteps", "the t to go through, in place of steps and timestep_spacing", "as these say"));
    add_choice(table, "variance", &S::variance, variance_type_names(),
               meaning("variance", "the noise of a step", "diffusion.variance_type"));
    table.add("eta", &S::eta, Range::between(0, 1),
              meaning("eta", "noise of a step, from 0 (none) to 1 (as much as ancestral with fixed_small)", *defaults.eta));
    table.add("order", &S::order, Range::between(1, 3),
              meaning("order", "predictions that a step looks at; its error falls with the power order + 1", *defaults.order));
    table.add("s_churn", &S::s_churn, Range::at_least(0),
              meaning("s_churn", "noise added before the steps, all of them together (Karras et al. 2022)", *defaults.s_churn));
    table.add("s_tmin", &S::s_tmin, Range::at_least(0),
              meaning("s_tmin", "s_churn: not below this noise level sigma/alpha", *defaults.s_tmin));
    table.add("s_tmax", &S::s_tmax, Range::at_least(0), meaning("s_tmax", "s_churn: not above this noise level", "no bound"));
    table.add("s_noise", &S::s_noise, Range::at_least(0),
              meaning("s_noise", "s_churn: factor of the added noise", *defaults.s_noise));
    table.custom(
        {"clip", "true or false or null", {}, {}, meaning("clip", "keep the predicted image within clip_range", *defaults.clip)},
        [](S& options, const Json& value, const std::string& path) {
            options.clip = value.is_null() ? std::nullopt : std::optional(read_boolean(value, path));
        },
        [](const S& options) { return options.clip ? Json(*options.clip) : Json(); });
    table.add("clip_range", &S::clip_range, Range::above(0),
              meaning("clip_range", "bound of the predicted image's values", *defaults.clip_range));
    table.add("threshold_ratio", &S::threshold_ratio, Range{0, 1, true},
              meaning("threshold_ratio",
                      "dynamic thresholding in place of clip: this share of a predicted image's values keeps its size, larger "
                      "ones are clipped, and the image is scaled back to within 1",
                      "none"));
    table.add("threshold_max", &S::threshold_max, Range::at_least(1),
              meaning("threshold_max", "thresholding: clip at this size at most", "no bound"));
    table.add("guidance_scale", &S::guidance_scale, Range::between(0, 1000),
              meaning("guidance_scale", "how far to go from the answer without the label to that with it, which is 1",
                      *defaults.guidance_scale));
    table.add("guidance_rescale", &S::guidance_rescale, Range::between(0, 1),
              meaning("guidance_rescale", "guidance: the share of an answer that is brought back to the deviation without guidance",
                      *defaults.guidance_rescale));
    add_interval(table,
                 meaning("guidance_interval", "guidance: at noise levels sigma/alpha above LO and up to HI alone", "at all"));
    add_choice(
        table, "timestep_spacing", &S::timestep_spacing, timestep_spacing_names(),
        meaning("timestep_spacing", "which t are kept when steps are fewer; karras and exponential space the noise level instead",
                own_spacings() + ", or trailing with diffusion.zero_terminal_snr"));
    table.add("steps_offset", &S::steps_offset, Range::between(0, 1e6),
              meaning("steps_offset", "leading: added to each t", *defaults.steps_offset));
    table.add("rho", &S::rho, Range{0, 1000, true},
              meaning("rho", "karras: the larger, the more steps at little noise", *defaults.rho));
    table.all_free_on_resume();
    return table;
}

}  // namespace

const FieldTable<SampleOptions>& sample_fields() {
    static const FieldTable<SampleOptions> table = make_fields();
    return table;
}

}  // namespace ddpm
