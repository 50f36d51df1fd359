#include "ddpm/sampling/options.h"

#include "ddpm/diffusion/types.h"
#include "ddpm/sampling/spacing.h"

namespace ddpm {

std::vector<std::string> sampler_names() {
    return {"ancestral", "ddim"};
}

namespace {

using Member = std::optional<std::string> SampleOptions::*;

void add_choice(FieldTable<SampleOptions>& table, const std::string& name, Member member,
                const std::vector<std::string>& allowed, const std::string& meaning) {
    table.custom(
        {name, "text or null", {}, join(allowed), meaning},
        [=](SampleOptions& options, const Json& value, const std::string& path) {
            options.*member = value.is_null() ? std::nullopt : std::optional(read_choice(value, path, allowed));
        },
        [=](const SampleOptions& options) { return options.*member ? Json(*(options.*member)) : Json(); });
}

FieldTable<SampleOptions> make_fields() {
    using S = SampleOptions;
    FieldTable<S> table;
    add_choice(table, "sampler", &S::sampler, sampler_names(), "how x_0 is drawn from noise; null: ancestral");
    table.add("steps", &S::steps, Range::between(1, 1e6),
              "sampling steps, at most diffusion.timesteps; null: all of them");
    add_choice(table, "variance", &S::variance, variance_type_names(),
               "ancestral: the noise of a step; null: diffusion.variance_type");
    table.add("eta", &S::eta, Range::between(0, 1),
              "ddim: noise of a step, from 0 (none) to 1 (as much as ancestral with fixed_small); null: 0");
    table.custom(
        {"clip", "true or false or null", {}, {}, "keep the predicted image within clip_range; null: true"},
        [](S& options, const Json& value, const std::string& path) {
            options.clip = value.is_null() ? std::nullopt : std::optional(read_boolean(value, path));
        },
        [](const S& options) { return options.clip ? Json(*options.clip) : Json(); });
    table.add("clip_range", &S::clip_range, Range::above(0), "bound of the predicted image's values; null: 1");
    add_choice(table, "timestep_spacing", &S::timestep_spacing, timestep_spacing_names(),
               "which t are kept when steps are fewer; null: leading, or trailing with diffusion.zero_terminal_snr");
    table.add("steps_offset", &S::steps_offset, Range::between(0, 1e6), "leading: added to each t; null: 0");
    table.all_free_on_resume();
    return table;
}

}  // namespace

const FieldTable<SampleOptions>& sample_fields() {
    static const FieldTable<SampleOptions> table = make_fields();
    return table;
}

SampleOptions filled_from(SampleOptions upper, const SampleOptions& lower) {
    const auto fill = [](auto& to, const auto& from) {
        if (!to) to = from;
    };
    fill(upper.sampler, lower.sampler);
    fill(upper.steps, lower.steps);
    fill(upper.variance, lower.variance);
    fill(upper.eta, lower.eta);
    fill(upper.clip, lower.clip);
    fill(upper.clip_range, lower.clip_range);
    fill(upper.timestep_spacing, lower.timestep_spacing);
    fill(upper.steps_offset, lower.steps_offset);
    return upper;
}

}  // namespace ddpm
