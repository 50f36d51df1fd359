#include "ddpm/diffusion/posterior.h"

#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

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
                const double weight = std::exp(-residual * residual / (2 * beta) -
                                               (x - prior_mean) * (x - prior_mean) / (2 * prior_variance));
                mass += weight;
                first += weight * (x - prior_mean);
                second += weight * (x - prior_mean) * (x - prior_mean);
            }
            const double mean = prior_mean + first / mass;
            const double variance = second / mass - first * first / (mass * mass);

            const Gaussian q = q_posterior(schedule, at::full({1, 1}, x_0, at::kDouble),
                                           at::full({1, 1}, x_t, at::kDouble), at::full({1}, t, at::kLong));
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
    for (const int64_t t : {1, 487, 999}) {
        EXPECT_NEAR(std::exp(fixed_log_variance(schedule, VarianceType::fixed_small, t)),
                    schedule.posterior_variance()[t], 1e-15);
        EXPECT_NEAR(std::exp(fixed_log_variance(schedule, VarianceType::fixed_large, t)), schedule.betas()[t], 1e-15);
    }
    for (const VarianceType type : {VarianceType::fixed_small, VarianceType::fixed_large})
        EXPECT_NEAR(fixed_log_variance(schedule, type, 0), -9.81673, 5e-6);
}

}  // namespace
}  // namespace ddpm
