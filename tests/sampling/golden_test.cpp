// Published sums of |x_0| for a made-up network, in float64; diffusers' float32 gives the same to 3e-3.

#include <gtest/gtest.h>

#include "ddpm/sampling/spacing.h"
#include "sampling/toys.h"

namespace ddpm {
namespace {

at::Tensor golden_start() {
    // x_T[n,c,h,w] = (((c·8+h)·8+w)·4+n)/768
    return (at::arange(768, at::kDouble) / 768).view({3, 8, 8, 4}).permute({3, 0, 1, 2}).contiguous();
}

const Network golden_network = [](const at::Tensor& x, const at::Tensor& t, const at::Tensor&) {
    const at::Tensor time = t.to(x.scalar_type()).view({-1, 1, 1, 1});
    return x * time / (time + 1);
};

double golden_sum(PredictionType type, double start_scale, const ResolvedSampling& settings) {
    const at::Tensor x_T = golden_start() * start_scale;
    return sample_from(golden_network, type, x_T, settings, torch_noise(x_T.sizes().vec(), 0, at::kFloat))
        .abs()
        .sum()
        .item<double>();
}

ResolvedSampling ddim_10() {
    ResolvedSampling settings;
    settings.sampler = "ddim";
    settings.levels = walk_over(schedule_of("linear"), spaced_timesteps("leading", 1000, 10, 0));
    return settings;
}

TEST(Golden, Ddim) {
    EXPECT_NEAR(golden_sum(PredictionType::epsilon, 1, ddim_10()), 172.00652, 5.1e-6);
    EXPECT_NEAR(golden_sum(PredictionType::v_prediction, 1, ddim_10()), 52.53012, 5.1e-6);
}

TEST(Golden, DdimWhereClippingActs) {
    ResolvedSampling settings = ddim_10();
    EXPECT_NEAR(golden_sum(PredictionType::epsilon, 20, settings), 724.69094, 5.1e-6);
    EXPECT_NEAR(golden_sum(PredictionType::v_prediction, 20, settings), 659.50247, 5.1e-6);
    settings.clipped_eps = ClippedEps::raw;
    EXPECT_NEAR(golden_sum(PredictionType::epsilon, 20, settings), 724.69094, 5.1e-6);
    EXPECT_NEAR(golden_sum(PredictionType::v_prediction, 20, settings), 681.97813, 5.1e-6);
}

// Of diffusers' DPMSolverMultistepScheduler over the same t.
TEST(Golden, DpmSolver2M) {
    ResolvedSampling settings;
    settings.sampler = "dpmpp_2m";
    settings.clip = false;
    settings.levels = walk_over(schedule_of("linear"), spaced_timesteps("trailing", 1000, 10, 0));
    EXPECT_NEAR(golden_sum(PredictionType::epsilon, 1, settings), 185.26486, 5.1e-6);
    EXPECT_NEAR(golden_sum(PredictionType::v_prediction, 1, settings), 76.01062, 5.1e-6);
    // At zero terminal SNR, whose first step has no end of ln k (diffusers begins a little below it: 75.36390).
    settings.levels = walk_over(schedule_of("linear", 1000, true), spaced_timesteps("trailing", 1000, 10, 0));
    EXPECT_NEAR(golden_sum(PredictionType::v_prediction, 1, settings), 75.33968, 5.1e-6);
    // linspace in the form of DPM-Solver: one time more, and t = 0 left out.
    settings.levels = walk_over(schedule_of("linear"), {100, 200, 300, 400, 500, 599, 699, 799, 899, 999});
    EXPECT_NEAR(golden_sum(PredictionType::epsilon, 1, settings), 185.01137, 5.1e-6);
    EXPECT_NEAR(golden_sum(PredictionType::v_prediction, 1, settings), 75.66202, 5.1e-6);
}

// 999 float32 draws of LibTorch's CPU generator seeded 0, for t = 999 … 1.
TEST(Golden, AncestralOverAllSteps) {
    ResolvedSampling settings;
    settings.levels = walk_over(schedule_of("linear"), spaced_timesteps("leading", 1000, 1000, 0));
    EXPECT_NEAR(golden_sum(PredictionType::epsilon, 1, settings), 258.9591, 5.1e-5);
    EXPECT_NEAR(golden_sum(PredictionType::v_prediction, 1, settings), 202.0283, 5.1e-5);
}

}  // namespace
}  // namespace ddpm
