#include "ddpm/pipeline/session.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/kernels/kernels.h"
#include "ddpm/nn/init.h"
#include "ddpm/nn/unet.h"
#include "pipeline/small_model.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

// A pipeline of diffusers with random weights and three labels.
struct Saved {
    TempFolder folder;

    Saved() {
        DiffusionOptions diffusion;
        diffusion.timesteps = 20;
        test::write_small_pipeline(folder.path(), 3, diffusion);
    }
};

SampleOptions ddim(int64_t steps) {
    SampleOptions options;
    options.sampler = "ddim";
    options.steps = steps;
    return options;
}

TEST(Model, TellsWhatWasSaved) {
    const Saved saved;
    const Model model = Model::open(saved.folder.path());
    EXPECT_EQ(model.height, 8);
    EXPECT_EQ(model.channels(), 3);
    EXPECT_EQ(model.classes(), 3);
    EXPECT_EQ(model.schedule.size(), 20);
    EXPECT_TRUE(model.device().is_cpu());
    EXPECT_SAYS(error_of([&] { Model::open(saved.folder.path(), {.weights = "raw"}); }), "has no raw weights");
    EXPECT_SAYS(error_of([&] { Model::open(saved.folder / "none"); }), "not found");
    EXPECT_SAYS(error_of([&] { Model::open(saved.folder.path(), {.ema_width = 0.1}); }), "is no run folder");
    EXPECT_SAYS(error_of([&] { Model::open(saved.folder.path(), {.ema_step = 4}); }), "ema_step: says at which step");
    EXPECT_SAYS(error_of([&] { Model::open(saved.folder.path(), {.weights = "raw", .ema_width = 0.1}); }),
                "ema_width: asks for an average, and raw weights are none");
}

TEST(Session, APictureFollowsFromTheSeedAndItsNumber) {
    const Saved saved;
    const Model model = Model::open(saved.folder.path());
    Session whole(model, {.sample = ddim(4), .seed = 7}), parts(model, {.sample = ddim(4), .seed = 7});
    const at::Tensor five = whole.sample(0, 5);
    ASSERT_EQ(five.sizes(), (std::vector<int64_t>{5, 3, 8, 8}));
    EXPECT_TRUE(at::allclose(five.slice(0, 2, 4), parts.sample(2, 2), 0, 1e-5));
    Session other(model, {.sample = ddim(4), .seed = 8});
    EXPECT_FALSE(at::allclose(five, other.sample(0, 5), 0, 1e-2));
}

TEST(Session, GivenNoiseIsTakenAsItIs) {
    const Saved saved;
    const Model model = Model::open(saved.folder.path());
    const at::Tensor x_T = start_noise(7, 0, 3, {3, 8, 8});
    Session given(model, {.sample = ddim(4), .seed = 1, .noise = GivenNoise{x_T, {}}});
    Session seeded(model, {.sample = ddim(4), .seed = 7});
    EXPECT_TRUE(at::equal(given.sample(0, 3), seeded.sample(0, 3)));
    EXPECT_SAYS(error_of([&] { given.sample(2, 2); }), "noise for 3 pictures, asked for pictures 2 to 3");
}

TEST(Session, LabelsGoInTurnOrAreOneForAll) {
    const Saved saved;
    const Model model = Model::open(saved.folder.path());
    const Session in_turn(model);
    EXPECT_EQ(in_turn.label_of(4), 1);
    const Session fixed(model, {.label = 2});
    EXPECT_EQ(fixed.label_of(4), 2);
    EXPECT_SAYS(error_of([&] { Session(model, {.label = 3}); }), "label: got 3, expected 0 … 2");
    EXPECT_SAYS(error_of([&] { Session(model, {.sample = ddim(21)}); }), "sample.steps");
    SampleOptions learned;
    learned.variance = "learned_range";
    EXPECT_SAYS(error_of([&] { Session(model, {.sample = learned}); }), "sample.variance: learned_range");
}

// Times between whole numbers and levels that churn has raised are among those that conditions are kept for.
TEST(Session, AsksTheNetworkAtEveryLevelOfTheSettings) {
    const TempFolder folder;
    test::write_small_pipeline(folder.path(), std::nullopt);
    const Model model = Model::open(folder.path(), {.kernels = &kernels_named("plain", "kernels")});
    SampleOptions options;
    options.sampler = "heun";
    options.steps = 5;
    options.timestep_spacing = "karras";
    options.s_churn = 3;
    Session session(model, {.sample = options, .seed = 7});
    EXPECT_EQ(session.settings().churn.levels.size(), 5u);
    const NetworkDenoiser denoiser(
        [&](const at::Tensor& x, const at::Tensor& t, const at::Tensor& y) { return model.network->forward(x, t, y); },
        model.prediction_type);
    const std::vector<int64_t> shape{3, 8, 8};
    const at::Tensor direct = sample(denoiser, start_noise(7, 0, 2, shape), {}, session.settings(), step_noise(7, 0, 2, shape));
    EXPECT_TRUE(at::allclose(session.sample(0, 2), direct, 1e-4, 1e-5));
}

TEST(Session, TakesThresholdingFromAScheduler) {
    SchedulerConfig scheduler;
    EXPECT_FALSE(sampling_of(scheduler).threshold_ratio.has_value());
    scheduler.thresholding = true;
    scheduler.dynamic_thresholding_ratio = 0.9;
    scheduler.sample_max_value = 2;
    const ResolvedSampling settings = resolve_sampling({}, sampling_of(scheduler), make_schedule(scheduler));
    ASSERT_TRUE(settings.thresholding.has_value());
    EXPECT_EQ(settings.thresholding->ratio, 0.9);
    EXPECT_EQ(settings.thresholding->max, 2);
}

// A network that was trained with an offset of its noise is given one: in x_T and in the noise of each step, one number for each
// picture and channel.
TEST(Session, TheNoiseHasTheOffsetOfTheTraining) {
    const Saved saved;
    Model model = Model::open(saved.folder.path());
    EXPECT_EQ(model.noise_offset, 0);
    SampleOptions ancestral;
    ancestral.steps = 4;
    const std::vector<int64_t> shape{3, 8, 8};
    const auto number = [](int64_t step, int64_t first) {
        return 0.3 * image_noise(7, Purpose::sample_offset, step, first, 2, {3, 1, 1});
    };
    GivenNoise given;
    given.x_T = start_noise(7, 0, 2, shape) + number(0, 0);
    std::vector<at::Tensor> steps;
    for (int64_t i = 0; i < 4; ++i) steps.push_back(step_noise(7, 0, 2, shape)(i) + number(i + 1, 0));
    given.steps = at::stack(steps);
    const at::Tensor plain = Session(model, {.sample = ancestral, .seed = 7}).sample(0, 2);
    const at::Tensor told = Session(model, {.sample = ancestral, .seed = 7, .noise = given}).sample(0, 2);
    model.noise_offset = 0.3;
    Session with(model, {.sample = ancestral, .seed = 7});
    EXPECT_TRUE(at::allclose(with.sample(0, 2), told, 0, 1e-5));
    EXPECT_FALSE(at::allclose(told, plain, 0, 1e-2));
    EXPECT_TRUE(at::allclose(with.sample(1, 1), told.slice(0, 1), 0, 1e-5)) << "whatever the rest of its batch";
}

}  // namespace
}  // namespace ddpm
