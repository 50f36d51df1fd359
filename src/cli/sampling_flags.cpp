#include "cli/sampling_flags.h"

#include <cctype>
#include <utility>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include "cli/flag_names.h"
#include "cli/validators.h"
#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/diffusion/types.h"
#include "ddpm/pipeline/session.h"
#include "ddpm/sampling/spacing.h"

namespace ddpm::cli {

namespace {

// A key of `sample` and its flag.
constexpr std::pair<const char*, const char*> kFlags[] = {{"sampler", "--sampler"},
                                                          {"steps", "--steps"},
                                                          {"timesteps", "--timesteps"},
                                                          {"variance", "--variance"},
                                                          {"eta", "--eta"},
                                                          {"order", "--order"},
                                                          {"s_churn", "--churn"},
                                                          {"s_tmin", "--churn-min"},
                                                          {"s_tmax", "--churn-max"},
                                                          {"s_noise", "--churn-noise"},
                                                          {"clip", "--no-clip"},
                                                          {"threshold_ratio", "--threshold"},
                                                          {"threshold_max", "--threshold-max"},
                                                          {"guidance_scale", "--guidance"},
                                                          {"guidance_rescale", "--guidance-rescale"},
                                                          {"guidance_interval", "--guidance-interval"},
                                                          {"timestep_spacing", "--spacing"},
                                                          {"rho", "--rho"}};

// Puts the flag in the place of each key of `sample` that `text` names.
std::string with_flags(std::string text) {
    const auto goes_on = [&](size_t i) {
        return i < text.size() && (std::isalnum(static_cast<unsigned char>(text[i])) != 0 || text[i] == '_');
    };
    for (const auto& [name, flag] : kFlags) {
        const std::string key = std::string("sample.") + name;
        for (size_t i = text.find(key); i != std::string::npos; i = text.find(key, i + 1))
            if (!goes_on(i + key.size())) text.replace(i, key.size(), flag);
    }
    return text;
}

// Runs `action`. Its errors name flags in place of keys; of a key that is not set in `given` they say that the checkpoint sets it.
template <class Action>
auto naming_given(const SampleOptions& given, Action action) {
    try {
        return action();
    } catch (const Error& error) {
        const Json section = sample_fields().write(given);
        const std::string key = error.key().substr(0, error.key().find('['));
        const Error worded(error.kind(), with_flags(error.message()), with_flags(error.hint()), error.key());
        for (const auto& [name, flag] : kFlags)
            if (key == std::string("sample.") + name)
                throw worded.shown_as(section.at(name).is_null() ? fmt::format("{} (as the checkpoint has it)", flag) : flag);
        throw worded;
    }
}

std::vector<int64_t> read_timesteps(const std::string& text) {
    std::vector<int64_t> times;
    for (const std::string& part : split(text, ',')) {
        const Json value = Json::accept(part) ? Json::parse(part) : Json(part);
        times.push_back(read_integer(value, "--timesteps", Range::between(0, 1e6)));
    }
    return times;
}

// "0.3,5" or "0.3,inf", as the configuration has it.
NoiseInterval read_interval(const std::string& text) {
    Json pair = Json::array();
    for (const std::string& part : split(text, ',')) pair.push_back(Json::accept(part) ? Json::parse(part) : Json(part));
    if (pair.size() == 2 && pair[1] == "inf") pair[1] = nullptr;
    SampleOptions read;
    naming_flags({{"sample.guidance_interval", "--guidance-interval"},
                  {"sample.guidance_interval[0]", "--guidance-interval"},
                  {"sample.guidance_interval[1]", "--guidance-interval"}},
                 [&] {
                     sample_fields().read(read, {{"guidance_interval", pair}}, "sample");
                 });
    return *read.guidance_interval;
}

std::string of_samplers(const char* key) { return "of " + join(samplers_reading(key)) + ": "; }

std::string steps_help() {
    std::string text = "steps from noise to a picture, each a network evaluation";
    for (const SamplerInfo& info : sampler_infos())
        if (info.evaluations(10) != 10) text += fmt::format("; {}: {} evaluations in 10 steps", info.name, info.evaluations(10));
    return text;
}

}  // namespace

std::string flag_of(const std::string& key) {
    for (const auto& [name, flag] : kFlags)
        if (key == name) return flag;
    return "";
}

void SamplingFlags::add(CLI::App& command) {
    command.add_option("--sampler", options_.sampler, describe_samplers());
    command.add_option("--steps", options_.steps, steps_help())->check(integer_in(1, 1000000));
    command.add_option("--timesteps", timesteps_, "in place of --steps and --spacing: the t to go through, as 999,850,700,400,100");
    add_without_steps(command);
}

void SamplingFlags::add_without_steps(CLI::App& command) {
    command.add_option("--spacing", options_.timestep_spacing, "of fewer steps: " + join(timestep_spacing_names()));
    command.add_option("--rho", options_.rho, "of karras spacing: the larger, the more steps at little noise")
        ->check(number_in(0, 1000));
    command.add_option("--variance", options_.variance,
                       "of " + join(samplers_reading("variance")) + "'s step: " + join(variance_type_names()));
    command.add_option("--eta", options_.eta, of_samplers("eta") + "0 adds no noise, 1 as much as ancestral")
        ->check(number_in(0, 1));
    command.add_option("--order", options_.order, of_samplers("order") + "how many predictions a step looks at, 1 … 3")
        ->check(integer_in(1, 3));
    command
        .add_option("--churn", options_.s_churn, of_samplers("s_churn") + "noise added before the steps, all together (S_churn)")
        ->check(number_in(0));
    command.add_option("--churn-min", options_.s_tmin, "--churn: not below this noise level σ/α (S_tmin)")->check(number_in(0));
    command.add_option("--churn-max", options_.s_tmax, "--churn: not above this noise level (S_tmax)")->check(number_in(0));
    command.add_option("--churn-noise", options_.s_noise, "--churn: factor of the added noise (S_noise)")->check(number_in(0));
    command.add_flag("--no-clip", no_clip_,
                     "leave the predicted picture unclipped at every step (clipped, ε follows the clipped picture: "
                     "use_clipped_model_output in diffusers)");
    command
        .add_option("--threshold", options_.threshold_ratio,
                    "dynamic thresholding in place of clipping, as 0.995: this share of a predicted picture's values keeps its "
                    "size, larger ones are clipped, and the picture is scaled back")
        ->check(number_in(0, 1));
    command.add_option("--threshold-max", options_.threshold_max, "--threshold: clip at this size at most (default: no bound)")
        ->check(number_in(1));
    command
        .add_option(
            "--guidance", options_.guidance_scale,
            "scale of guidance: 1 is none, 2 to 4 are usual. It goes from the answer without the label to that with it, of a "
            "network trained with train.class_dropout, or from another network's (--guide-ckpt)")
        ->check(number_in(0, 1000));
    command
        .add_option("--guidance-rescale", options_.guidance_rescale,
                    "--guidance: the share, as 0.7, of an answer that is brought back to the deviation without guidance")
        ->check(number_in(0, 1));
    command.add_option("--guidance-interval", guidance_interval_,
                       "--guidance: at noise levels σ/α above LO and up to HI alone, as 0.3,5 or 0.3,inf");
}

SampleOptions SamplingFlags::options() const {
    SampleOptions asked = options_;
    if (no_clip_) asked.clip = false;
    if (timesteps_) asked.timesteps = read_timesteps(*timesteps_);
    if (guidance_interval_) asked.guidance_interval = read_interval(*guidance_interval_);
    naming_given(asked, [&] {
        SampleOptions scratch;
        sample_fields().read(scratch, sample_fields().write(asked), "sample");
    });
    return asked;
}

ResolvedSampling SamplingFlags::settle(const Model& model, const SampleOptions& asked, const Model* guide, bool from_picture) {
    return naming_given(asked, [&] { return settle_sampling(model, asked, guide, from_picture); });
}

}  // namespace ddpm::cli
