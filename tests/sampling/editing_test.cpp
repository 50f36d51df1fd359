#include "ddpm/sampling/editing.h"

#include <cmath>

#include <gtest/gtest.h>

#include "ddpm/core/error.h"
#include "ddpm/sampling/spacing.h"
#include "sampling/toys.h"
#include "support/errors.h"

namespace ddpm {
namespace {

const std::vector<int64_t> kShape = {2, 1, 4, 4};

const Network bounded = [](const at::Tensor& x, const at::Tensor& t, const at::Tensor&) {
    return (x * 1.7 + t.to(x.scalar_type()).view({-1, 1, 1, 1}) / 500).sin();
};

// The network of Golden, and what it is shown.
const Network nearly_identity = [](const at::Tensor& x, const at::Tensor& t, const at::Tensor&) {
    const at::Tensor time = t.to(x.scalar_type()).view({-1, 1, 1, 1});
    return x * time / (time + 1);
};

at::Tensor ramp() { return (at::arange(768, at::kDouble) / 768).view({3, 8, 8, 4}).permute({3, 0, 1, 2}).contiguous(); }

double far(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

ResolvedSampling settings_of(const std::string& sampler, const std::string& spacing, int64_t S) {
    ResolvedSampling settings;
    settings.sampler = sampler;
    settings.clip = false;
    settings.levels = spaced_walk(schedule_of("linear"), spacing, S);
    return settings;
}

std::vector<double> times_of(const Walk& walk) {
    std::vector<double> times;
    for (const NoiseLevel& level : walk) times.push_back(level.t);
    return times;
}

TEST(Editing, TheWalkIsCutByIndex) {
    const NoiseSchedule schedule = schedule_of("linear");
    const ResolvedSampling whole = settings_of("ddim", "trailing", 10);
    EXPECT_EQ(times_of(begun_at(whole, {.strength = 0.35}, schedule).levels), (std::vector<double>{299, 199, 99, -1}));
    EXPECT_EQ(times_of(begun_at(whole, {.strength = 1.0}, schedule).levels), times_of(whole.levels));
    EXPECT_EQ(times_of(begun_at(whole, {}, schedule).levels), times_of(whole.levels));
    EXPECT_EQ(begun_at(settings_of("ddim", "leading", 50), {.strength = 0.58}, schedule).steps(), 29) << "and not 28.999…";
    // Levels that are almost one t: looking t up would find the first of them twice.
    const ResolvedSampling karras = settings_of("ddim", "karras", 200);
    EXPECT_EQ(begun_at(karras, {.strength = 0.25}, schedule).levels.front().t, karras.levels[150].t);
    EXPECT_EQ(times_of(begun_at(whole, {.from_t = 299}, schedule).levels), (std::vector<double>{299, 199, 99, -1}));
    EXPECT_EQ(times_of(begun_at(whole, {.from_t = 250}, schedule).levels), (std::vector<double>{250, 199, 99, -1}));
    EXPECT_EQ(times_of(begun_at(whole, {.from_t = 0}, schedule).levels), (std::vector<double>{0, -1}));
    EXPECT_SAYS(error_of([&] { begun_at(whole, {.from_t = 1000}, schedule); }), "from_t: got 1000, expected 0 … 999");
    EXPECT_SAYS(error_of([&] { begun_at(whole, {.strength = 0.09}, schedule); }),
                "strength: 0.09 of 10 steps is less than one step");
    EXPECT_SAYS(error_of([&] { begun_at(whole, {.strength = 1.5}, schedule); }), "expected above 0 and at most 1");
    EXPECT_SAYS(error_of([&] { begun_at(whole, {.strength = 0.5, .from_t = 3}, schedule); }), "leave one out");
}

// The last steps of a whole walk, taken by themselves, are the cut walk: no sampler knows of steps before its first.
TEST(Editing, ACutWalkIsTheEndOfAWholeOne) {
    const NoiseSchedule schedule = schedule_of("linear");
    for (const Sampler& sampler : samplers()) {
        for (const std::string& spacing : timestep_spacing_names()) {
            ResolvedSampling whole = settings_of(sampler.name, spacing, 10);
            whole.order = 3;
            whole.eta = sampler.reads("eta") ? 0.5 : 0;
            if (sampler.reads("s_churn") && sampler.name == "heun") {
                whole.churn.s_churn = 4;
                whole.churn.levels = churned_levels(whole.levels, schedule, 4, 0, 1e9);
            }
            const ResolvedSampling cut = begun_at(whole, {.strength = 0.4}, schedule);
            ASSERT_EQ(cut.steps(), 4);
            ResolvedSampling by_hand = whole;
            by_hand.levels = Walk(whole.levels.end() - 5, whole.levels.end());
            if (!whole.churn.levels.empty()) by_hand.churn.levels = {whole.churn.levels.end() - 4, whole.churn.levels.end()};
            const at::Tensor x = torch_noise(kShape, 51)(0);
            EXPECT_LT(far(sample_from(bounded, PredictionType::sample, x, cut, torch_noise(kShape, 52)),
                          sample_from(bounded, PredictionType::sample, x, by_hand, torch_noise(kShape, 52))),
                      1e-11)
                << sampler.name << " " << spacing;
        }
    }
}

// What a whole walk has come to is a place from which its last steps lead to the same end.
TEST(Editing, ACutWalkGoesOnWhereAWholeOneStands) {
    const at::Tensor x_T = torch_noise(kShape, 53)(0);
    for (const char* sampler : {"ddim", "heun"}) {
        const ResolvedSampling whole = settings_of(sampler, "trailing", 10);
        at::Tensor there;
        const at::Tensor end = sample_from(bounded, PredictionType::v_prediction, x_T, whole, {}, [&](const SamplingStep& step) {
            if (step.i == 5) there = step.x.clone();
        });
        const ResolvedSampling cut = begun_at(whole, {.strength = 0.4}, schedule_of("linear"));
        EXPECT_LT(far(sample_from(bounded, PredictionType::v_prediction, there, cut, {}), end), 1e-12) << sampler;
    }
}

TEST(Editing, WhatTheMaskKeepsIsKeptExactly) {
    const at::Tensor known = torch_noise(kShape, 61)(0).clamp(-1, 1).to(at::kFloat),
                     x_T = torch_noise(kShape, 62)(0).to(at::kFloat);
    at::Tensor mask = at::zeros({4, 4});
    mask[0].fill_(1);
    mask[1].fill_(0.25);
    for (const Sampler& sampler : samplers()) {
        ResolvedSampling settings = settings_of(sampler.name, "trailing", 9);
        const NoiseSource z = torch_noise(kShape, 63, at::kFloat);
        std::vector<at::Tensor> drawn;
        for (int64_t i = 0; i < 9; ++i) drawn.push_back(z(i));
        std::vector<at::Tensor> seen;
        std::vector<int64_t> asked;
        const StepHook hook = keep_known(known, mask, [&](int64_t i) {
            asked.push_back(i);
            return drawn[static_cast<size_t>(i)];
        });
        const at::Tensor x_0 = sample_from(
            bounded, PredictionType::sample, x_T, settings, torch_noise(kShape, 64, at::kFloat),
            [&](const SamplingStep& step) { seen.push_back(step.x); }, hook);
        EXPECT_TRUE(at::equal(x_0.select(2, 0), known.select(2, 0))) << sampler.name;
        EXPECT_GT(far(x_0.select(2, 2), known.select(2, 2)), 0.05) << sampler.name;
        EXPECT_EQ(asked, (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7})) << "none at the clean level";
        for (size_t i = 0; i < 8; ++i) {
            const NoiseLevel& level = settings.levels[i + 1];
            EXPECT_LT(far(seen[i].select(2, 0), (level.alpha * known + level.sigma * drawn[i]).select(2, 0)), 1e-6);
        }
    }
}

TEST(Editing, RepaintGoesBackAndForth) {
    EXPECT_EQ(repaint_order(10, {2, 2}),
              (std::vector<int64_t>{9, 8, 7, 6, 7, 8, 7, 6, 5, 4, 5, 6, 5, 4, 3, 2, 3, 4, 3, 2, 1, 0, 1, 2, 1, 0}));
    EXPECT_EQ(repaint_order(4, {1, 2}), (std::vector<int64_t>{3, 2, 1, 0}));
    const std::vector<int64_t> long_order = repaint_order(250, {10, 10});
    EXPECT_EQ(steps_taken(long_order), 2410);
    EXPECT_EQ(static_cast<int64_t>(long_order.size()) - steps_taken(long_order), 2160);
    EXPECT_SAYS(error_of([] { repaint_order(10, {2, 10}); }), "repaint: jumps over 10 steps, expected 1 … 9 of 10 steps");
    EXPECT_SAYS(error_of([] { repaint_order(1, {2, 1}); }), "repaint: jumps back, but the walk has 1 step alone");
    EXPECT_SAYS(error_of([] { repaint_order(10, {0, 2}); }), "repaint: each step is taken 0 times");
    EXPECT_SAYS(error_of([] { repaint_order(10, {1001, 2}); }), "expected 1 … 1000");
    EXPECT_EQ(repainting_samplers(), (std::vector<std::string>{"ancestral", "ddim"}));
}

// Without repetitions it is the sampler itself; with them each step gets noise of its own, and is told of in order.
TEST(Editing, RepaintTakesTheSamplersSteps) {
    const at::Tensor x_T = torch_noise(kShape, 71)(0), known = torch_noise(kShape, 72)(0);
    at::Tensor mask = at::zeros({4, 4}, at::kDouble);
    mask[0].fill_(1);
    const NetworkDenoiser denoiser(bounded, PredictionType::sample);
    const auto by_number = [](uint64_t seed) {
        return NoiseSource([=](int64_t i) { return torch_noise(kShape, seed + static_cast<uint64_t>(i))(0); });
    };
    for (const char* sampler : {"ancestral", "ddim"}) {
        ResolvedSampling settings = settings_of(sampler, "leading", 10);
        settings.eta = 0.7;
        settings.clip = true;
        const StepHook hook = keep_known(known, mask, by_number(2000));
        const at::Tensor plain = sample(denoiser, x_T, {}, settings, by_number(1000), {}, hook);
        EXPECT_TRUE(
            at::equal(sample_repaint(denoiser, x_T, {}, settings, {1, 3}, by_number(1000), by_number(3000), {}, hook), plain));
        std::vector<int64_t> told;
        const at::Tensor again = sample_repaint(
            denoiser, x_T, {}, settings, {2, 2}, by_number(1000), by_number(3000),
            [&](const SamplingStep& step) {
                EXPECT_EQ(step.S, 18);
                told.push_back(step.i);
            },
            hook);
        EXPECT_EQ(told.size(), 18u) << "10 steps, and 4 jumps over 2";
        EXPECT_EQ(told.back(), 17);
        EXPECT_GT(far(again, plain), 1e-3);
        EXPECT_TRUE(at::equal(again.select(2, 0), known.select(2, 0)));
    }
    EXPECT_SAYS(
        error_of([&] {
            sample_repaint(denoiser, x_T, {}, settings_of("unipc", "leading", 10), {2, 2}, by_number(1), by_number(2), {}, {});
        }),
        "repaint: can't repeat the steps of unipc, expected ancestral, ddim");
}

TEST(Editing, NoiseIsAddedByWhatSaysSo) {
    ResolvedSampling settings;
    const auto adds = [&](const char* sampler, double eta, double churn) {
        settings.sampler = sampler;
        settings.eta = eta;
        settings.churn.s_churn = churn;
        return adds_noise(settings);
    };
    EXPECT_TRUE(adds("ancestral", 0, 0));
    EXPECT_FALSE(adds("ddim", 0, 5)) << "it does not read s_churn";
    EXPECT_TRUE(adds("ddim", 0.1, 0));
    EXPECT_TRUE(adds("dpmpp_2m", 1, 0));
    EXPECT_FALSE(adds("unipc", 1, 1));
    const NoiseSchedule schedule = make_schedule(DiffusionOptions{});
    SampleOptions churned;
    churned.sampler = "heun";
    churned.steps = 5;
    EXPECT_FALSE(adds_noise(resolve_sampling(churned, {}, schedule)));
    churned.s_churn = 1;
    EXPECT_TRUE(adds_noise(resolve_sampling(churned, {}, schedule)));
    churned.s_tmin = 1e6;
    EXPECT_FALSE(adds_noise(resolve_sampling(churned, {}, schedule))) << "no level is so noisy";
}

at::Tensor encoded(const Network& network, PredictionType type, const at::Tensor& x_0, const Walk& walk, int64_t evaluations) {
    return encode(NetworkDenoiser(network, type), x_0, {}, walk, type, evaluations);
}

// Sums of |x_T| after ten leading steps, computed with PyTorch from the equations.
TEST(Editing, EncodeHasTheKnownSums) {
    const Walk walk = settings_of("ddim", "leading", 10).levels;
    EXPECT_NEAR(encoded(nearly_identity, PredictionType::epsilon, ramp(), walk, 1).abs().sum().item<double>(), 671.68211, 5.1e-6);
    EXPECT_NEAR(encoded(nearly_identity, PredictionType::v_prediction, ramp(), walk, 1).abs().sum().item<double>(), 1305.66617,
                5.1e-6);
}

// Largest errors of the way there and back in 50 leading steps after 1, 2, 3, 5 and 10 evaluations a step, computed with PyTorch
// from the equations.
TEST(Editing, MoreEvaluationsMakeTheInverseExact) {
    const ResolvedSampling settings = settings_of("ddim", "leading", 50);
    const int64_t evaluations[] = {1, 2, 3, 5, 10};
    const double by_eps[] = {.0459, .0033, 2.38e-4, 1.26e-6, 1.86e-11}, by_v[] = {.135, .0137, .00137, 1.48e-5, 2.95e-10};
    for (size_t i = 0; i < 5; ++i)
        for (const bool eps : {true, false}) {
            const PredictionType type = eps ? PredictionType::epsilon : PredictionType::v_prediction;
            const at::Tensor x_T = encoded(nearly_identity, type, ramp(), settings.levels, evaluations[i]);
            const double error = far(sample_from(nearly_identity, type, x_T, settings, {}), ramp()),
                         expected = (eps ? by_eps : by_v)[i];
            EXPECT_NEAR(error, expected, 0.01 * expected + 2e-14) << evaluations[i] << " evaluations, " << (eps ? "ε" : "v");
        }
}

// A network that predicts x_0 has no ε at the clean level, and the inverse is finite and exact nevertheless.
TEST(Editing, PredictionsOfThePictureAreInverted) {
    const ResolvedSampling settings = settings_of("ddim", "leading", 50);
    const Network towards_a_picture = [](const at::Tensor& x, const at::Tensor&, const at::Tensor&) { return 0.1 * x + 0.3; };
    const at::Tensor x_T = encoded(towards_a_picture, PredictionType::sample, ramp(), settings.levels, 300);
    EXPECT_LT(far(sample_from(towards_a_picture, PredictionType::sample, x_T, settings, {}), ramp()), 1e-8);
    EXPECT_TRUE(encoded(towards_a_picture, PredictionType::sample, ramp(), settings.levels, 1).isfinite().all().item<bool>());
}

TEST(Slerp, HasItsEndsAndKeepsTheLength) {
    const at::Tensor x = torch_noise({3, 8, 8}, 81)(0).to(at::kFloat), y = torch_noise({3, 8, 8}, 82)(0).to(at::kFloat);
    EXPECT_TRUE(at::equal(slerp(x, y, 0), x));
    EXPECT_TRUE(at::equal(slerp(x, y, 1), y));
    EXPECT_EQ(slerp(x, y, 0.3).scalar_type(), at::kFloat);
    EXPECT_TRUE(at::equal(slerp(x, x, 0.3), x));
    EXPECT_SAYS(error_of([&] { slerp(x, -x, 0.3); }), "opposite");
    const at::Tensor a = x.to(at::kDouble), b = y.to(at::kDouble) * (a.norm() / y.to(at::kDouble).norm());
    for (const double f : {0.1, 0.5, 0.8}) EXPECT_NEAR(slerp(a, b, f).norm().item<double>() / a.norm().item<double>(), 1, 1e-13);
    // The angle goes in even steps.
    const at::Tensor middle = slerp(a, b, 0.5);
    EXPECT_NEAR((middle * a).sum().item<double>(), (middle * b).sum().item<double>(), 1e-9);
    // At a right angle it is cos φ·x + sin φ·y, which is N(0, I) exactly for independent x and y.
    const at::Tensor e = at::tensor({1.0, 0.0}, at::kDouble), g = at::tensor({0.0, 1.0}, at::kDouble);
    EXPECT_LT(far(slerp(e, g, 1.0 / 3), at::tensor({std::sqrt(3.0) / 2, 0.5}, at::kDouble)), 1e-15);
}

// 4,000 pairs of 256 numbers. The mean of all 1,024,000 strays by 1e-3 and that of their squares by 1.4e-3; an angle that differs from
// 90° by 1/16 makes a square differ by 1/256 at most, in the mean by far less. Six of those: false alarm 4e-9.
TEST(Slerp, KeepsTheNormalLaw) {
    const at::Tensor x = torch_noise({4000, 256}, 83)(0), y = torch_noise({4000, 256}, 84)(0);
    for (const double f : {0.25, 0.5}) {
        std::vector<at::Tensor> between;
        for (int64_t i = 0; i < 4000; ++i) between.push_back(slerp(x[i], y[i], f));
        const at::Tensor all = at::stack(between);
        EXPECT_NEAR(all.mean().item<double>(), 0, 6 * 1.0e-3) << f;
        EXPECT_NEAR(all.square().mean().item<double>(), 1, 6 * 1.4e-3) << f;
        EXPECT_NEAR(all.pow(4).mean().item<double>(), 3, 6 * 9.7e-3 + 3 * 2.0 / 256) << f;
    }
}

}  // namespace
}  // namespace ddpm
