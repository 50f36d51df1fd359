#include "ddpm/pipeline/edit.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "ddpm/nn/unet.h"
#include "ddpm/pipeline/session.h"
#include "pipeline/small_model.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

// A network without labels, of pictures [3, 8, 8].
const Model& small_model() {
    static const TempFolder folder;
    static const Model model = [] {
        test::write_small_pipeline(folder.path(), std::nullopt);
        return Model::open(folder.path());
    }();
    return model;
}

SampleOptions by_ddim(int64_t steps) {
    SampleOptions options;
    options.sampler = "ddim";
    options.steps = steps;
    options.timestep_spacing = "trailing";
    return options;
}

at::Tensor two_pictures() { return at::linspace(-1, 1, 2 * 3 * 8 * 8).view({2, 3, 8, 8}); }

double apart(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

// The noise on a picture is what x_T would be, and sample i·n + j is variant j of picture i.
TEST(EditedSession, BeginsWithThePictureAndTheNoiseOfTheSeed) {
    const Model& model = small_model();
    Session session(
        model, {.sample = by_ddim(10), .seed = 7, .edit = {.pictures = two_pictures(), .variants = 2, .start = {.strength = 0.5}}});
    EXPECT_EQ(session.settings().steps(), 5);
    const NoiseLevel& begin = session.settings().levels.front();
    const at::Tensor pictures = at::repeat_interleave(two_pictures(), 2, 0);
    const at::Tensor x = begin.alpha * pictures + begin.sigma * start_noise(7, 0, 4, {3, 8, 8});
    const NetworkDenoiser denoiser(
        [&](const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y) { return model.network->forward(x_t, t, y); },
        model.prediction_type);
    EXPECT_LT(apart(session.sample(0, 4), sample(denoiser, x, {}, session.settings(), {})), 1e-4);
    EXPECT_LT(apart(session.sample(2, 1), session.sample(0, 4).slice(0, 2, 3)), 1e-4);
    EXPECT_SAYS(error_of([&] { session.sample(3, 2); }), "edit: 4 pictures to sample, asked for 3 to 4");
}

// 600 of 1000 leading steps begin at t = 599, where the picture can be seen: drawing takes trailing ones instead.
TEST(EditedSession, OfStrengthOneTakesTheLevelsWithoutAPicture) {
    SampleOptions options = by_ddim(600);
    options.timestep_spacing.reset();
    Model model = small_model();
    model.sampling.timestep_spacing = "leading";
    const auto levels = [&](const Edit& edit) {
        const Session session(model, {.sample = options, .edit = edit});
        std::vector<double> ratios;
        for (const NoiseLevel& level : session.settings().levels) ratios.push_back(level.ratio());
        return ratios;
    };
    EXPECT_EQ(levels({.pictures = two_pictures(), .start = {.strength = 1.0}}), levels({}));
    const NoiseLevel last = model.schedule.level(999);
    EXPECT_EQ(levels({}).front(), last.ratio());
    EXPECT_EQ(levels({.pictures = two_pictures(), .start = {.strength = 0.5}}).front(), model.schedule.level(299).ratio())
        << "a part of the walk may begin anywhere";
}

TEST(EditedSession, KeepsWhatIsKnownWithAndWithoutRepaint) {
    const Model& model = small_model();
    at::Tensor mask = at::zeros({8, 8});
    mask.slice(0, 0, 3).fill_(1);
    for (const bool repaint : {false, true}) {
        Edit edit{.pictures = two_pictures(), .mask = mask};
        if (repaint) edit.repaint = Repaint{2, 3};
        Session session(model, {.sample = by_ddim(10), .seed = 7, .edit = edit});
        const at::Tensor x_0 = session.sample(0, 2);
        EXPECT_TRUE(at::equal(x_0.slice(2, 0, 3), two_pictures().slice(2, 0, 3)));
        EXPECT_GT(apart(x_0, two_pictures()), 0.05);
    }
}

TEST(EditedSession, RefusesWhatContradictsItself) {
    const Model& model = small_model();
    const auto refusal = [&](const Edit& edit) { return error_of([&] { Session(model, {.sample = by_ddim(10), .edit = edit}); }); };
    EXPECT_SAYS(refusal({.start = {.strength = 0.5}}), "wants pictures");
    EXPECT_SAYS(refusal({.pictures = two_pictures()}), "nothing of the pictures would be seen");
    EXPECT_SAYS(refusal({.pictures = at::zeros({1, 3, 9, 8}), .start = {.strength = 0.5}}),
                "the pictures are [1, 3, 9, 8], expected [N, 3, 8, 8]");
    EXPECT_SAYS(refusal({.pictures = two_pictures(), .mask = at::zeros({9, 8})}), "the mask is [9, 8], expected [8, 8]");
    EXPECT_SAYS(refusal({.pictures = two_pictures(), .start = {.strength = 0.5}, .repaint = Repaint{2, 2}}),
                "RePaint wants a mask");
}

TEST(EditedSession, EncodesByTheNetwork) {
    const Model& model = small_model();
    Session session(model, {.sample = by_ddim(10)});
    const NetworkDenoiser denoiser(
        [&](const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& y) { return model.network->forward(x_t, t, y); },
        model.prediction_type);
    int64_t told = 0;
    const at::Tensor x_T = session.encode(two_pictures(), 0, 2, [&](int64_t done) { EXPECT_EQ(done, ++told); });
    EXPECT_EQ(told, 10);
    EXPECT_TRUE(
        at::allclose(x_T, encode(denoiser, two_pictures(), {}, session.settings().levels, model.prediction_type, 2), 1e-3, 1e-3));
    SampleOptions ancestral;
    ancestral.steps = 5;
    Session other(model, {.sample = ancestral});
    EXPECT_SAYS(error_of([&] { other.encode(two_pictures(), 0); }), "goes the way of ddim without noise backwards, got ancestral");
}

}  // namespace
}  // namespace ddpm
