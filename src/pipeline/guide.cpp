#include "pipeline/guide.h"

#include <cmath>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/tensor_memory.h"
#include "ddpm/core/text.h"
#include "ddpm/diffusion/types.h"

namespace ddpm::pipeline {

namespace {

constexpr const char* kByAnother =
    "another network, such as an earlier checkpoint of the run, can guide too: --guide-ckpt of sample and compare";

void check_empty_label(const Model& model) {
    if (model.empty_label()) return;
    const auto refuse = [](const std::string& reason) { key_error("sample.guidance_scale", reason, kByAnother); };
    if (!model.has_classes()) refuse(model.source + ": its network has no labels, so it can't answer with and without one");
    const std::optional<int64_t> rows = model.network->config().num_class_embeds;
    if (model.config.is_null())
        refuse(
            fmt::format("{}: doesn't say how it was trained, so that it is not known whether {} is an empty label; expected a run "
                        "or checkpoint of this program, trained with train.class_dropout",
                        model.source, rows ? fmt::format("its last label, {},", *rows - 1) : "one of its labels"));
    refuse(model.source + ": was trained with train.class_dropout 0, so it has no empty label; train with 0.1, for example");
}

std::string describe_pictures(const Model& model) {
    return fmt::format("pictures of {}x{} with {}", model.width, model.height, plural(model.channels(), "channel"));
}

// Where the schedules differ.
std::string describe_noise(const NoiseSchedule& schedule, const NoiseSchedule& other) {
    const int64_t T = schedule.size();
    if (T != other.size()) return fmt::format("T = {}", T);
    int64_t t = 0;
    for (int64_t i = 0; i < T; ++i)
        if (std::abs(schedule.alphas_cumprod()[i] - other.alphas_cumprod()[i]) >
            std::abs(schedule.alphas_cumprod()[t] - other.alphas_cumprod()[t]))
            t = i;
    return fmt::format("√ᾱ = {:.3f} at t = {}", schedule.sqrt_alphas_cumprod()[t], t);
}

// Where the labels differ.
std::string describe_labels(const Model& model, const Model& other) {
    const std::vector<std::string>& names = model.class_names;
    if (names.size() == other.class_names.size())
        for (size_t i = 0; i < names.size(); ++i)
            if (names[i] != other.class_names[i]) return fmt::format("label {} is {}", i, quote(names[i]));
    if (!model.has_classes()) return "no labels";
    const bool named = !names.empty() && !other.class_names.empty();
    const int64_t count = named ? model.classes() : model.network->config().num_class_embeds.value_or(0);
    return count == 0 ? "labels of any number" : plural(count, "label");
}

// A guide without labels fits every model.
bool same_labels(const Model& guide, const Model& model) {
    if (!guide.has_classes()) return true;
    if (!guide.class_names.empty() && !model.class_names.empty()) return guide.class_names == model.class_names;
    return model.has_classes() && guide.network->config().num_class_embeds == model.network->config().num_class_embeds;
}

void check_guide(const Model& model, const Model& guide) {
    const auto refuse = [&](const std::string& its, const std::string& ours) {
        key_error("guide", fmt::format("{}: {}; {}: {}; expected the same", guide.source, its, model.source, ours));
    };
    const auto compare = [&](bool same, const auto& describe) {
        if (!same) refuse(describe(guide), describe(model));
    };
    compare(guide.prediction_type == model.prediction_type, [](const Model& of) {
        return "its network predicts " + prediction_type_names()[static_cast<size_t>(of.prediction_type)];
    });
    if (!same_noise(guide.schedule, model.schedule))
        refuse("a schedule with " + describe_noise(guide.schedule, model.schedule),
               "one with " + describe_noise(model.schedule, guide.schedule));
    compare(guide.height == model.height && guide.width == model.width && guide.channels() == model.channels(), describe_pictures);
    if (!same_labels(guide, model)) refuse(describe_labels(guide, model), describe_labels(model, guide));
    compare(guide.device() == model.device(), [](const Model& of) { return "lies on " + of.device().str(); });
}

}  // namespace

void check_guidance(const Guidance& guidance, const Model& model, const Model* guide) {
    if (guide == nullptr) {
        if (guidance.on()) check_empty_label(model);
        return;
    }
    if (!guidance.on())
        key_error("guide",
                  "has no say while the scale of guidance is 1; give one, for example --guidance 2, or leave the guide out");
    check_guide(model, *guide);
}

Guide::Guide(const Model& model, const Model* guide, const ResolvedSampling& settings, const std::string& precision,
             Evaluator& evaluator)
    : guidance_(settings.guidance),
      evaluator_(evaluator),
      empty_label_(model.empty_label()),
      one_picture_{1, model.channels(), model.height, model.width},
      device_(model.device()),
      t_(settings.levels.front().t) {
    if (guide == nullptr) return;
    guide_ = guide->network;
    guide_evaluator_ = std::make_unique<Evaluator>(*guide_, device_, precision, settings.asked());
}

Network Guide::network(int64_t count) {
    const Network own = [this](const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y) { return evaluator_(x_t, t, y); };
    if (guide_ == nullptr) return guided_by_label(own, empty_label_.value(), guidance_, one_batch(count));
    const bool labelled = guide_->config().has_classes();
    const Network other = [this, labelled](const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y) {
        return (*guide_evaluator_)(x_t, t, labelled ? y : at::Tensor());
    };
    return guided_by_network(own, other, guidance_);
}

bool Guide::one_batch(int64_t count) {
    if (!pass_of_one_) {
        const c10::InferenceMode no_gradients;
        available_ = free_memory(device_);
        const at::Tensor x_t = at::zeros(one_picture_, at::TensorOptions(device_).dtype(at::kFloat));
        const at::Tensor t = at::full({1}, t_, x_t.options()), y = at::zeros({1}, x_t.options().dtype(at::kLong));
        pass_of_one_ = peak_tensor_memory(device_, [&] { evaluator_(x_t, t, y); });
    }
    return fits_one_batch(*pass_of_one_ * count, available_);
}

}  // namespace ddpm::pipeline
