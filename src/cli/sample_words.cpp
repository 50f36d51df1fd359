#include "cli/sample_words.h"

#include <cmath>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/text.h"

namespace ddpm::cli {

PngText model_text(const SampleFlags& flags, const Model& model, const std::string& precision,
                   const std::optional<int64_t>& label) {
    PngText text{{"checkpoint", model.source}, {"weights", flags.weights}};
    if (flags.ema_width) text.emplace_back("ema_width", fmt::format("{}", *flags.ema_width));
    if (model.ema_step) text.emplace_back("ema_step", std::to_string(*model.ema_step));
    text.insert(text.end(), {{"precision", precision}, {"kernels", flags.kernels}});
    if (!label) return text;
    text.emplace_back("label", std::to_string(*label));
    if (*label < static_cast<int64_t>(model.class_names.size()))
        text.emplace_back("class", model.class_names[static_cast<size_t>(*label)]);
    return text;
}

PngText how_made(const Drawing& drawing, const Session& session, int64_t first, std::optional<int64_t> count) {
    const Model& model = session.model();
    const SampleFlags& flags = drawing.flags;
    const ResolvedSampling& settings = drawing.whole;
    PngText text = software_text();
    const auto append = [&](const PngText& more) { text.insert(text.end(), more.begin(), more.end()); };
    const bool labelled = model.has_classes() && (drawing.label || !count);
    append(model_text(flags, model, drawing.precision, labelled ? std::optional(session.label_of(first)) : std::nullopt));
    append({{"sampler", settings.sampler}, {"steps", std::to_string(settings.steps())}, {"seed", std::to_string(flags.seed)}});
    if (count)
        append({{"first_index", std::to_string(first)}, {"count", std::to_string(*count)}});
    else
        append({{"index", std::to_string(first)}});
    if (!flags.noise.empty()) append({{"noise", flags.noise}, {"noise_crc32", drawing.noise_crc32}});
    for (const auto& [key, value] : keys_in_force(settings)) text.emplace_back(key, value);
    if (session.guide() != nullptr) text.emplace_back("guide", session.guide()->source);
    append(flags.edit.text(drawing.input, first, count.value_or(1), drawing.n));
    return text;
}

std::string describe_noise(const Drawing& drawing, const GivenNoise& given) {
    const SampleFlags& flags = drawing.flags;
    if (flags.edit.interpolates()) return flags.edit.describe_ends(flags.noise, flags.seed);
    if (!given.x_T.defined()) return fmt::format("seed {}", flags.seed);
    const bool in_steps = adds_noise(drawing.walked), given_steps = given.steps.defined();
    std::vector<std::string> drawn;
    if (in_steps && !given_steps) drawn.emplace_back("the steps' noise");
    if (drawing.input.edit.mask.defined()) drawn.emplace_back("the mask's noise");
    std::string text = (in_steps && given_steps ? "noise from " : "x_T from ") + flags.noise;
    if (given_steps && !in_steps) text += fmt::format(", whose noise of steps is left out as {} adds none", drawing.whole.sampler);
    if (!drawn.empty()) return text + fmt::format(", {} from seed {}", join(drawn, " and "), flags.seed);
    return text + (flags.edit.given("--seed") ? fmt::format(", nothing from seed {}", flags.seed) : "");
}

std::string describe_steps(const Drawing& drawing) {
    const int64_t n = drawing.walked.steps(), evaluations = drawing.left.front();
    const WalkStart& start = drawing.flags.edit.start();
    std::string text = plural(n, "step");
    if (start.strength) text += fmt::format(" of {}", drawing.whole.steps());  // --from-t adds a level to those of the walk
    if (start.in_the_middle()) text += fmt::format(" from t = {:.6g}", drawing.walked.levels.front().t);
    return text + (evaluations == n ? "" : fmt::format(" ({})", plural(evaluations, "evaluation")));
}

std::string describe_guidance(const Guidance& guidance, const Model* guide) {
    if (!guidance.on()) return "";
    std::string text = fmt::format(", guidance {}", guidance.scale);
    if (guidance.rescale > 0) text += fmt::format(", rescaled by {}", guidance.rescale);
    if (guidance.low > 0 || !std::isinf(guidance.high))
        text += fmt::format(", at noise levels {} … {}", guidance.low, guidance.high);
    return text + (guide == nullptr ? "" : ", by " + guide->source);
}

std::string flags_of_model(const SampleFlags& flags, const std::optional<int64_t>& label) {
    std::string text;
    if (label) text += fmt::format(" --label {}", *label);
    if (flags.ema_width) text += fmt::format(" --ema-width {}", *flags.ema_width);
    if (flags.ema_step) text += fmt::format(" --step {}", *flags.ema_step);
    if (flags.weights != SampleFlags::kWeights) text += " --weights " + flags.weights;
    return text;
}

}  // namespace ddpm::cli
