#include "ddpm/diffusion/posterior.h"

#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "ddpm/core/error.h"
#include "ddpm/diffusion/prediction.h"

namespace ddpm {
namespace {

NoiseSchedule schedule_of(const std::string& name) {
    DiffusionOptions o;
    o.schedule = name;
    return make_schedule(o);
}

// q(x_{t−1}|x_t,x_0) ∝ q(x_t|x_{t−1})·q(x_{t−1}|x_0), summed on a grid with no use of eq. 6 and 7.
TEST(Posterior, AgreesWithNumericalBayes) {
    for (const char* name : {"linear", "cosine", "sigmoid", "scaled_linear"}) {
        const NoiseSchedule schedule = schedule_of(name);
        for (const int64_t t : {1, 2, 20, 300, 700, 998, 999}) {
            const double beta = schedule.betas()[t];
            const double prior_mean = std::sqrt(schedule.alphas_cumprod_prev()[t]) * 0.7;
            const double prior_variance = 1 - schedule.alphas_cumprod_prev()[t];
            const double x_0 = 0.7, x_t = prior_mean + 1.3 * std::sqrt(prior_variance) + 0.4 * std::sqrt(beta);

            // The posterior is at least as narrow as the prior: the grid spans ten of its standard deviations.
            const int64_t points = 40001;
            const double low = prior_mean - 10 * std::sqrt(prior_variance), width = 20 * std::sqrt(prior_variance);
            double mass = 0, first = 0, second = 0;
            for (int64_t i = 0; i < points; ++i) {
                const double x = low + width * static_cast<double>(i) / (points - 1);
                const double residual = x_t - std::sqrt(1 - beta) * x;
                const double weight =
                    std::exp(-residual * residual / (2 * beta) - (x - prior_mean) * (x - prior_mean) / (2 * prior_variance));
                mass += weight;
                first += weight * (x - prior_mean);
                second += weight * (x - prior_mean) * (x - prior_mean);
            }
            const double mean = prior_mean + first / mass;
            const double variance = second / mass - first * first / (mass * mass);

            const Gaussian q = q_posterior(schedule, at::full({1, 1}, x_0, at::kDouble), at::full({1, 1}, x_t, at::kDouble),
                                           at::full({1}, t, at::kLong));
            EXPECT_NEAR(q.mean.item<double>(), mean, 1e-8 * std::sqrt(prior_variance) + 1e-12) << name << " t=" << t;
            EXPECT_NEAR(q.variance.item<double>() / variance, 1, 1e-7) << name << " t=" << t;
            EXPECT_NEAR(q.log_variance.item<double>(), std::log(variance), 1e-7) << name << " t=" << t;
        }
    }
}

TEST(Posterior, AtTheFirstStepIsX0) {
    const NoiseSchedule schedule = schedule_of("linear");
    const at::Tensor x_0 = at::full({2, 3}, 0.25, at::kDouble), x_t = at::full({2, 3}, -4.0, at::kDouble);
    const Gaussian q = q_posterior(schedule, x_0, x_t, at::zeros({2}, at::kLong));
    EXPECT_LT((q.mean - x_0).abs().max().item<double>(), 1e-14);
    EXPECT_EQ(q.variance.abs().max().item<double>(), 0);
    EXPECT_NEAR(q.log_variance[0].item<double>(), -9.81673, 5e-6);
}

TEST(Posterior, RawFormOfTheMeanEqualsTheFormThroughX0) {
    for (const char* name : {"linear", "cosine"}) {
        const NoiseSchedule schedule = schedule_of(name);
        const at::Tensor t = at::arange(1000, at::kLong);
        const at::Tensor x_t = at::linspace(-2, 2, 1000, at::kDouble).view({1000, 1});
        const at::Tensor eps = at::linspace(1.5, -1.1, 1000, at::kDouble).view({1000, 1});
        const at::Tensor raw = posterior_mean_from_eps(schedule, x_t, t, eps);
        const at::Tensor through_x0 = posterior_mean(schedule, x0_from_eps(schedule, x_t, t, eps), x_t, t);
        EXPECT_LT((raw - through_x0).abs().max().item<double>(), 1e-9) << name;
    }
}

TEST(Posterior, RawFormAmplifiesAnErrorOfEpsAtTheEndOfCosine) {
    const at::Tensor x_t = at::zeros({1, 1}, at::kDouble), t = at::full({1}, 999, at::kLong);
    const auto response = [&](const NoiseSchedule& schedule) {
        return -(posterior_mean_from_eps(schedule, x_t, t, at::ones({1, 1}, at::kDouble))).item<double>();
    };
    EXPECT_NEAR(response(schedule_of("cosine")), 0.999 / std::sqrt(0.001), 1e-6);  // 31.6
    EXPECT_NEAR(response(schedule_of("linear")), 0.02 / std::sqrt(0.98), 1e-6);    // 0.0202
}

TEST(Posterior, FixedVariances) {
    const NoiseSchedule schedule = schedule_of("linear");
    const at::Tensor t = at::tensor({0, 1, 487, 999}, at::kLong), like = at::zeros({4, 2}, at::kDouble);
    const at::Tensor small = fixed_log_variance(schedule, VarianceType::fixed_small, t, like).exp();
    const at::Tensor large = fixed_log_variance(schedule, VarianceType::fixed_large, t, like).exp();
    EXPECT_EQ(small.sizes(), at::IntArrayRef({4, 1}));
    for (const int64_t row : {1, 2, 3}) {
        const int64_t time = t[row].item<int64_t>();
        EXPECT_NEAR(small[row].item<double>(), schedule.posterior_variance()[time], 1e-15);
        EXPECT_NEAR(large[row].item<double>(), schedule.betas()[time], 1e-15);
        const PosteriorStep step = posterior_step(schedule.level(time), schedule.level(time - 1));
        EXPECT_NEAR(std::exp(fixed_log_variance(step, VarianceType::fixed_small)), small[row].item<double>(), 1e-15);
        EXPECT_NEAR(std::exp(fixed_log_variance(step, VarianceType::fixed_large)), large[row].item<double>(), 1e-15);
    }
    EXPECT_NEAR(small[0].log().item<double>(), -9.81673, 5e-6);
    EXPECT_NEAR(large[0].log().item<double>(), -9.81673, 5e-6);
    EXPECT_THROW(fixed_log_variance(schedule, VarianceType::learned_range, t, like), Error);
}

// From step to step and by table the interpolation is one and the same; at t = 0 the table has β̃_1 for β̃.
TEST(Posterior, LearnedRangeOfEachExample) {
    const NoiseSchedule schedule = schedule_of("cosine");
    const at::Tensor f = at::tensor({0.0, 0.3, 1.0, 0.3}, at::kDouble).view({4, 1});
    const at::Tensor by_t = learned_range_log_variance(schedule, f, at::tensor({0, 700, 999, 1}, at::kLong));
    EXPECT_NEAR(by_t[0].item<double>(), std::log(schedule.posterior_variance()[1]), 1e-12);
    for (const auto& [row, t] : {std::pair<int64_t, int64_t>{1, 700}, {2, 999}, {3, 1}}) {
        const PosteriorStep step = posterior_step(schedule.level(t), schedule.level(t - 1));
        EXPECT_NEAR(by_t[row].item<double>(), learned_range_log_variance(step, f[row]).item<double>(), 1e-10);
        const double f_of_row = f[row].item<double>();
        EXPECT_NEAR(by_t[row].item<double>(),
                    f_of_row * std::log(schedule.betas()[t]) + (1 - f_of_row) * std::log(schedule.posterior_variance()[t]), 1e-10);
    }
}

}  // namespace
}  // namespace ddpm
