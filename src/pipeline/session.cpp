#include "ddpm/pipeline/session.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/nn/unet.h"
#include "pipeline/edited.h"
#include "pipeline/evaluator.h"
#include "pipeline/guide.h"

namespace ddpm {

namespace {

// Where the offsets of the noises of an edit begin among the steps of sample_offset.
constexpr int64_t kKnownOffsets = int64_t{1} << 32, kUndoOffsets = int64_t{2} << 32;

// The noise of pictures first … first + count − 1: x_T as step 0, that of sampling step i as step i + 1. A network that was trained
// with an offset of the noise expects it here too: one number for each picture and channel.
at::Tensor with_offset(const at::Tensor& noise, double offset, uint64_t seed, int64_t step, int64_t first) {
    if (offset == 0) return noise;
    return noise +
           offset * image_noise(seed, Purpose::sample_offset, step, first, noise.size(0), {noise.size(1), 1, 1}, noise.device());
}

void check_times(const Model& model, const ResolvedSampling& settings) {
    const std::string& embedding = model.network->config().time_embedding_type;
    check_whole_times(settings, embedding);
    for (const NoiseLevel& level : settings.asked())
        if (embedding == "fourier" && level.t == 0)
            user_error(model.source + ": its Fourier embedding takes the logarithm of t, and these steps end at t = 0",
                       "--spacing trailing with fewer steps ends above it");
}

void check_label(int64_t label, const Model& model, const Model* guide, const Guidance& guidance) {
    const std::optional<int64_t> rows = model.network->config().num_class_embeds;
    if (rows && (label < 0 || label >= *rows)) key_error("label", fmt::format("got {}, expected 0 … {}", label, *rows - 1));
    if (guidance.on() && guide == nullptr && label == model.empty_label())
        key_error("label",
                  fmt::format("{} is the empty label, which guidance goes away from; take another, or a scale of 1", label));
    if (guide == nullptr) return;
    const std::optional<int64_t> guide_rows = guide->network->config().num_class_embeds;
    if (guide_rows && label >= *guide_rows)
        key_error("label", fmt::format("got {}, but the guide, {}, has the labels 0 … {}", label, guide->source, *guide_rows - 1));
}

const Model* guide_of(const SessionOptions& options) { return options.guide ? &*options.guide : nullptr; }

}  // namespace

NoiseSource GivenNoise::step_noise(int64_t first, int64_t count) const {
    return [noise = steps, first, count](int64_t i) { return noise[i].slice(0, first, first + count); };
}

at::Tensor drawn_start(const Model& model, uint64_t seed, int64_t first, int64_t count) {
    const at::Tensor noise = start_noise(seed, first, count, {model.channels(), model.height, model.width}, model.device());
    return with_offset(noise, model.noise_offset, seed, 0, first);
}

ResolvedSampling settle_sampling(const Model& model, const SampleOptions& asked, const Model* guide, bool from_picture) {
    ResolvedSampling settings = resolve_sampling(asked, model.sampling, model.schedule, from_picture);
    check_variance(settings.variance, model);
    check_times(model, settings);
    pipeline::check_guidance(settings.guidance, model, guide);
    if (guide != nullptr) check_times(*guide, settings);
    return settings;
}

void check_whole_times(const ResolvedSampling& settings, const std::string& time_embedding_type) {
    if (time_embedding_type != "learned") return;
    const auto refuse = [](const char* key, double t, const char* remedy) {
        key_error(key, fmt::format("asks for t = {}, but a learned embedding has a row for each whole t alone; {}", t, remedy));
    };
    const auto between = [](const NoiseLevel& level) { return level.t != std::floor(level.t); };
    if (const auto level = std::find_if(settings.levels.begin(), settings.levels.end(), between); level != settings.levels.end())
        refuse("sample.timestep_spacing", level->t, "leading, trailing and linspace keep to whole t");
    const std::vector<NoiseLevel>& churned = settings.churn.levels;
    if (const auto level = std::find_if(churned.begin(), churned.end(), between); level != churned.end())
        refuse("sample.s_churn", level->t, "leave it out");
}

Session::Session(Model model, SessionOptions options)
    : model_(std::move(model)),
      options_(std::move(options)),
      settings_(begun_at(settle_sampling(model_, options_.sample, guide_of(options_), options_.edit.start.leaves_out_steps()),
                         options_.edit.start, model_.schedule)),
      evaluator_(std::make_unique<pipeline::Evaluator>(*model_.network, model_.device(), options_.precision, settings_.asked())) {
    if (options_.label) check_label(*options_.label, model_, guide_of(options_), settings_.guidance);
    check(options_.edit, model_.channels(), model_.height, model_.width, settings_);
    if (settings_.guidance.on())
        guide_ = std::make_unique<pipeline::Guide>(model_, guide_of(options_), settings_, options_.precision, *evaluator_);
}

Session::~Session() = default;
Session::Session(Session&&) noexcept = default;

int64_t Session::label_of(int64_t index) const {
    if (!model_.has_classes()) return -1;
    return options_.label ? *options_.label : index % std::max<int64_t>(model_.classes(), 1);
}

at::Tensor Session::labels(int64_t first, int64_t count) const {
    if (!model_.has_classes()) return {};
    const at::Tensor y = at::empty({count}, at::kLong);
    for (int64_t i = 0; i < count; ++i) y[i] = label_of(first + i);
    return y.to(model_.device());
}

at::Tensor Session::sample(int64_t first, int64_t count, const StepCallback& on_step) {
    const c10::Device device = model_.device();
    const std::vector<int64_t> shape{model_.channels(), model_.height, model_.width};
    const Network network = [this](const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y) {
        return (*evaluator_)(x_t, t, y);
    };
    const NetworkDenoiser alone(network, model_.prediction_type, model_.predicts_variance);
    const NetworkDenoiser guided(guide_ ? guide_->network(count) : network, model_.prediction_type, model_.predicts_variance);
    const GuidedDenoiser denoiser(guided, alone, settings_.guidance);
    const at::Tensor y = labels(first, count);
    const GivenNoise& given = options_.noise;
    if (given.x_T.defined() && first + count > given.x_T.size(0))
        user_error(fmt::format("noise for {}, asked for pictures {} to {}", plural(given.x_T.size(0), "picture"), first,
                               first + count - 1));
    const auto offset = [seed = options_.seed, s = model_.noise_offset, first](const at::Tensor& noise, int64_t step) {
        return with_offset(noise, s, seed, step, first);
    };
    const at::Tensor x_T =
        (given.x_T.defined() ? given.x_T.slice(0, first, first + count) : drawn_start(model_, options_.seed, first, count))
            .to(device);
    const NoiseSource white = step_noise(options_.seed, first, count, shape, device);
    const NoiseSource noise =
        given.steps.defined() ? given.step_noise(first, count) : NoiseSource([=](int64_t i) { return offset(white(i), i + 1); });
    const auto other_noise = [&](Purpose purpose, int64_t offsets) -> NoiseSource {
        return [=, seed = options_.seed](int64_t i) {
            return offset(image_noise(seed, purpose, i, first, count, shape, device), offsets + i);
        };
    };
    const Edit& edit = options_.edit;
    const at::Tensor x_0 = edit.asked() ? pipeline::sample_edited(edit, first, denoiser, y, settings_,
                                                                  {x_T, noise, other_noise(Purpose::sample_known, kKnownOffsets),
                                                                   other_noise(Purpose::sample_undo, kUndoOffsets)},
                                                                  on_step)
                                        : ddpm::sample(denoiser, x_T, y, settings_, noise, on_step);
    return x_0.to(at::kCPU, at::kFloat).contiguous();
}

at::Tensor Session::encode(const at::Tensor& pictures, int64_t first, int64_t evaluations,
                           const std::function<void(int64_t)>& after_step) {
    if (settings_.sampler != "ddim" || adds_noise(settings_))
        user_error(fmt::format("encode: goes the way of ddim without noise backwards, got {}{}", settings_.sampler,
                               settings_.sampler == "ddim" ? fmt::format(" with eta {}", settings_.eta) : ""));
    if (settings_.guidance.on()) user_error("encode: a guided walk has no way back; take a scale of 1");
    if (evaluations < 1) user_error(fmt::format("encode: {} evaluations a step, expected at least 1", evaluations));
    const Network network = [this](const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y) {
        return (*evaluator_)(x_t, t, y);
    };
    const NetworkDenoiser denoiser(network, model_.prediction_type, model_.predicts_variance);
    const at::Tensor x_T = ddpm::encode(denoiser, pictures.to(model_.device()), labels(first, pictures.size(0)), settings_.levels,
                                        model_.prediction_type, evaluations, after_step);
    return x_T.to(at::kCPU, at::kFloat).contiguous();
}

}  // namespace ddpm
