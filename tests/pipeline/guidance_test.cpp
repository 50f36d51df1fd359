#include <optional>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/kernels/kernels.h"
#include "ddpm/nn/init.h"
#include "ddpm/nn/unet.h"
#include "ddpm/pipeline/session.h"
#include "nn/networks.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

struct Kind {
    std::optional<int64_t> rows = 3;  // of labels
    int64_t channels = 3, side = 8, timesteps = 20;
    std::string prediction_type = "v_prediction";
};

// A model with random weights; it was trained with class_dropout if `dropout` is above 0, and is another program's if it is negative.
Model model_of(const Kind& kind = {}, double dropout = 0.1, uint64_t seed = 5) {
    const TempFolder folder;
    UNetConfig config = test::plain_network();
    config.sample_size = {kind.side, kind.side};
    config.num_class_embeds = kind.rows;
    config.in_channels = config.out_channels = kind.channels;
    UNet2D unet(config);
    initialize_weights(unet, seed);
    const at::NoGradGuard no_grad;
    test::fill_by_formula(unet);
    for (at::Tensor& parameter : unet.parameters()) parameter.add_(0.01 * static_cast<double>(seed));
    DiffusionOptions diffusion;
    diffusion.timesteps = kind.timesteps;
    diffusion.prediction_type = kind.prediction_type;
    write_pipeline(folder.path(), config, to_scheduler(diffusion), named_tensors(unet));
    Model model = Model::open(folder.path(), {.kernels = &kernels_named("plain", "kernels")});
    model.source = fmt::format("model {}", seed);
    if (dropout >= 0) model.config = Json{{"train", {{"class_dropout", dropout}}}};
    return model;
}

SampleOptions options_of(double scale, const std::string& sampler = "ddim") {
    SampleOptions options;
    options.sampler = sampler;
    options.steps = 5;
    options.timestep_spacing = "trailing";
    options.clip = false;
    options.guidance_scale = scale;
    return options;
}

at::Tensor drawn(const Model& model, const SampleOptions& options, const std::optional<Model>& guide = {}) {
    SessionOptions session;
    session.sample = options;
    session.seed = 7;
    session.guide = guide;
    return Session(model, session).sample(0, 3);
}

bool close(const at::Tensor& a, const at::Tensor& b) { return at::allclose(a, b, 1e-4, 1e-4 * b.abs().max().item<double>()); }

// What a session should draw: each answer asked by itself.
at::Tensor directly(const Model& model, const SampleOptions& options, const Network& network) {
    const NetworkDenoiser denoiser(network, model.prediction_type);
    const std::vector<int64_t> shape{3, 8, 8};
    const at::Tensor y = model.has_classes() ? at::arange(3, at::kLong) % model.classes() : at::Tensor();
    return sample(denoiser, start_noise(7, 0, 3, shape), y,
                  settle_sampling(model,
                                  [&] {
                                      SampleOptions unguided = options;
                                      unguided.guidance_scale = 1;
                                      return unguided;
                                  }()),
                  step_noise(7, 0, 3, shape));
}

TEST(SessionGuidance, TheEmptyLabelIsTheLastRowOfARunWithDropout) {
    EXPECT_EQ(model_of().empty_label(), 2);
    EXPECT_FALSE(model_of({}, 0).empty_label().has_value());
    EXPECT_FALSE(model_of({}, -1).empty_label().has_value()) << "another program's";
    EXPECT_FALSE(model_of({.rows = std::nullopt}).empty_label().has_value());
}

TEST(SessionGuidance, GoesFromTheEmptyLabelToTheLabel) {
    const Model model = model_of();
    for (const SamplerInfo& sampler : sampler_infos()) {
        const SampleOptions options = options_of(3, sampler.name);
        const at::Tensor expected = directly(model, options, [&](const at::Tensor& x, const at::Tensor& t, const at::Tensor& y) {
            const at::Tensor c = model.network->forward(x, t, y), u = model.network->forward(x, t, at::full_like(y, 2));
            return u + 3 * (c - u);
        });
        EXPECT_TRUE(close(drawn(model, options), expected)) << sampler.name;
        EXPECT_FALSE(close(drawn(model, options_of(1, sampler.name)), expected)) << sampler.name;
    }
}

TEST(SessionGuidance, ScaleOneChangesNoBit) {
    const Model model = model_of();
    SampleOptions plain = options_of(1);
    plain.guidance_scale.reset();
    EXPECT_TRUE(at::equal(drawn(model, options_of(1)), drawn(model, plain)));
    SampleOptions nowhere = options_of(3);
    nowhere.guidance_interval = NoiseInterval{1e8, 1e9};
    EXPECT_TRUE(at::equal(drawn(model, nowhere), drawn(model, plain)));
}

TEST(SessionGuidance, ANetworkThatGuidesItselfChangesNothing) {
    for (const std::optional<int64_t>& rows : {std::optional<int64_t>(3), std::optional<int64_t>()}) {
        const Model model = model_of({.rows = rows}, 0);
        for (const SamplerInfo& sampler : sampler_infos())
            EXPECT_TRUE(at::equal(drawn(model, options_of(2, sampler.name), model), drawn(model, options_of(1, sampler.name))))
                << sampler.name;
    }
}

// With the model's label, or without one if it knows none.
TEST(SessionGuidance, AnotherNetworkGuides) {
    for (const std::optional<int64_t>& rows : {std::optional<int64_t>(3), std::optional<int64_t>()}) {
        const Model model = model_of({}, 0), guide = model_of({.rows = rows}, -1, 6);
        const at::Tensor expected =
            directly(model, options_of(2), [&](const at::Tensor& x, const at::Tensor& t, const at::Tensor& y) {
                return 2 * model.network->forward(x, t, y) - guide.network->forward(x, t, rows ? y : at::Tensor());
            });
        EXPECT_TRUE(close(drawn(model, options_of(2), guide), expected));
        EXPECT_FALSE(close(drawn(model, options_of(1)), expected));
    }
}

TEST(SessionGuidance, RefusesWhatTheModelsCantDo) {
    const auto refusal = [](const Model& model, const SampleOptions& options, const std::optional<Model>& guide = {}) {
        return error_of([&] { drawn(model, options, guide); });
    };
    const SampleOptions two = options_of(2);
    EXPECT_SAYS(refusal(model_of({.rows = std::nullopt}), two), "sample.guidance_scale: model 5: its network has no labels");
    EXPECT_SAYS(refusal(model_of({}, 0), two), "was trained with train.class_dropout 0");
    EXPECT_SAYS(refusal(model_of({}, -1), two), "it is not known whether its last label, 2, is an empty label");
    const Model model = model_of();
    const auto guided = [&](const Kind& kind) { return refusal(model, two, model_of(kind, 0.1, 6)); };
    EXPECT_SAYS(guided({.prediction_type = "epsilon"}),
                "guide: model 6: its network predicts epsilon; model 5: its network predicts v_prediction; expected the same");
    EXPECT_SAYS(guided({.timesteps = 30}), "guide: model 6: a schedule with T = 30; model 5: one with T = 20");
    EXPECT_SAYS(guided({.side = 16}), "pictures of 16x16 with 3 channels; model 5: pictures of 8x8 with 3 channels");
    EXPECT_SAYS(guided({.channels = 1}), "pictures of 8x8 with 1 channel; model 5");
    EXPECT_SAYS(guided({.rows = 4}), "guide: model 6: 4 labels; model 5: 3 labels");
    EXPECT_SAYS(refusal(model_of({.rows = std::nullopt}), two, model), "guide: model 5: 3 labels; model 5: no labels");
    EXPECT_SAYS(refusal(model, options_of(1), model), "guide: has no say while the scale of guidance is 1");
    Model cats = model, dogs = model;
    cats.class_names = {"ant", "cat"};
    dogs.class_names = {"ant", "dog"};
    EXPECT_SAYS(refusal(cats, two, dogs), "label 1 is \"dog\"; model 5: label 1 is \"cat\"");
    Model cosine = model;
    DiffusionOptions linear;
    linear.schedule = "linear";
    linear.timesteps = 100;
    cosine.schedule = make_schedule(linear);
    Model scaled = cosine;
    linear.schedule = "cosine";
    scaled.schedule = make_schedule(linear);
    EXPECT_SAYS(refusal(cosine, two, scaled), "guide: model 5: a schedule with √ᾱ = ");
    SessionOptions empty{.sample = two, .label = 2};
    EXPECT_SAYS(error_of([&] { Session(model, empty); }), "label: 2 is the empty label");
    empty.guide = model;
    EXPECT_EQ(error_of([&] { Session(model, empty); }), "no error") << "another network may guide there";
}

}  // namespace
}  // namespace ddpm
