#include "ddpm/diffusion/bound.h"

#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "ddpm/diffusion/posterior.h"
#include "ddpm/diffusion/process.h"

namespace ddpm {
namespace {

// The numbers themselves are held to closed forms and to improved-diffusion in tests/eval/bpd_test.cpp.

struct Example {
    NoiseSchedule schedule = make_schedule(DiffusionOptions{});
    at::Tensor t = at::tensor({0, 700, 1, 0, 999}, at::kLong);
    at::Tensor x_start = (at::arange(5 * 12, at::kDouble) * 83).remainder(256).view({5, 3, 2, 2}) * 2 / 255 - 1;
    at::Tensor noise = (at::arange(5 * 12, at::kDouble) * 1.7).sin().view({5, 3, 2, 2});
    at::Tensor x_t = q_sample(schedule, x_start, t, noise);
    at::Tensor pred_x0 = x_start + 0.05 * noise;
};

TEST(Bound, EachExampleHasTheTermOfItsOwnTime) {
    const Example e;
    const at::Tensor log_variance = fixed_log_variance(e.schedule, VarianceType::fixed_large, e.t, e.x_t);
    const at::Tensor together = bound_term(e.schedule, e.t, e.x_start, e.x_t, e.pred_x0, log_variance);
    EXPECT_EQ(together.sizes(), at::IntArrayRef({5}));
    for (int64_t n = 0; n < 5; ++n) {
        const auto one = [&](const at::Tensor& x) { return x.slice(0, n, n + 1); };
        const at::Tensor alone = bound_term(e.schedule, one(e.t), one(e.x_start), one(e.x_t), one(e.pred_x0), one(log_variance));
        EXPECT_NEAR(together[n].item<double>(), alone.item<double>(), 1e-13) << n;
        EXPECT_GT(alone.item<double>(), 0) << n;
    }
}

// Training needs finite gradients for the variance at every t, also at t = 0, and none through a detached mean.
TEST(Bound, ItsGradientFeelsTheVariance) {
    const Example e;
    at::Tensor f = at::full_like(e.x_t, 0.4).requires_grad_(true);
    bound_term(e.schedule, e.t, e.x_start, e.x_t, e.pred_x0, learned_range_log_variance(e.schedule, f, e.t)).sum().backward();
    const at::Tensor gradient = f.grad();
    EXPECT_TRUE(gradient.isfinite().all().item<bool>());
    for (int64_t n = 0; n < 5; ++n) {
        EXPECT_GT(gradient[n].abs().sum().item<double>(), 0) << "t = " << e.t[n].item<int64_t>();
        // Against a difference quotient along all of the example's numbers at once.
        const auto term = [&](double step) {
            at::Tensor moved = at::full_like(e.x_t, 0.4);
            moved[n] += step;
            return bound_term(e.schedule, e.t, e.x_start, e.x_t, e.pred_x0, learned_range_log_variance(e.schedule, moved, e.t))[n]
                .item<double>();
        };
        const double quotient = (term(1e-5) - term(-1e-5)) / 2e-5;
        EXPECT_NEAR(gradient[n].sum().item<double>(), quotient, 1e-6 * (1 + std::abs(quotient))) << n;
    }
}

TEST(Bound, ThePriorIsNothingAtZeroTerminalSnr) {
    DiffusionOptions options;
    options.schedule = "linear";
    const Example e;
    const at::Tensor some = prior_term(make_schedule(options), e.x_start);
    options.zero_terminal_snr = true;
    const at::Tensor none = prior_term(make_schedule(options), e.x_start);
    EXPECT_EQ(some.sizes(), at::IntArrayRef({5}));
    EXPECT_GT(some.min().item<double>(), 1e-7);
    EXPECT_EQ(none.abs().max().item<double>(), 0);
}

}  // namespace
}  // namespace ddpm
