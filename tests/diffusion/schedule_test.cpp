#include "ddpm/diffusion/schedule.h"

#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/diffusion/betas.h"

namespace ddpm {
namespace {

DiffusionOptions options(const std::string& schedule, int64_t T = 1000) {
    DiffusionOptions o;
    o.schedule = schedule;
    o.timesteps = T;
    return o;
}

NoiseSchedule linear_1000() { return make_schedule(options("linear")); }

// Within half a unit of the last of `digits` significant digits, as published values are rounded.
void expect_digits(double value, double published, int digits = 6) {
    const double unit = std::pow(10.0, std::floor(std::log10(std::abs(published))) - digits + 1);
    EXPECT_NEAR(value, published, 0.5001 * unit);
}

TEST(Schedule, LinearEndsWherePublished) {
    expect_digits(linear_1000().alphas_cumprod().back(), 4.03583e-5);
    expect_digits(make_schedule(options("linear", 100)).alphas_cumprod().back(), 2.03901e-5);
    DiffusionOptions unscaled = options("linear", 100);
    unscaled.rescale = false;
    expect_digits(make_schedule(unscaled).alphas_cumprod().back(), 0.363563);
}

TEST(Schedule, CosineMatchesPublishedValues) {
    const NoiseSchedule schedule = make_schedule(options("cosine"));
    expect_digits(schedule.betas()[0], 4.12842e-5);
    expect_digits(schedule.alphas_cumprod().back(), 2.42877e-9);
    EXPECT_EQ(schedule.betas().back(), 0.999);
}

TEST(Schedule, SigmoidMatchesPublishedValues) {
    const NoiseSchedule schedule = make_schedule(options("sigmoid"));
    expect_digits(schedule.betas()[0], 3.00279e-4);
    EXPECT_NEAR(schedule.alphas_cumprod()[499], 0.5, 1e-13);
    expect_digits(schedule.alphas_cumprod().back(), 3.00279e-7);
}

TEST(Schedule, DiffusersSigmoidMatchesPublishedValues) {
    const NoiseSchedule schedule(diffusers_sigmoid_betas(1000, 1e-4, 0.02));
    expect_digits(schedule.betas()[0], 1.49205e-4);
    expect_digits(schedule.alphas_cumprod().back(), 3.96818e-5);
}

TEST(Schedule, ScaledLinearMatchesPublishedValues) {
    const NoiseSchedule schedule = make_schedule(options("scaled_linear"));
    expect_digits(schedule.alphas_cumprod().back(), 7.33412e-4);
    EXPECT_DOUBLE_EQ(schedule.betas()[0], 1e-4);
    EXPECT_DOUBLE_EQ(schedule.betas().back(), 0.02);
}

// √ᾱ_{T−1} as the product over β, by hand.
TEST(Schedule, WarnsWhereThePictureIsStillThere) {
    int warned = 0;
    for (const char* name : {"linear", "scaled_linear", "cosine", "sigmoid"})
        for (const int64_t T : {10, 50, 100, 250, 1000})
            for (const bool rescale : {true, false}) {
                DiffusionOptions o = options(name);
                o.timesteps = T;
                o.rescale = rescale;
                if (o.schedule == "linear" && rescale && T < 50) continue;  // refused: a β above 1
                double left = 1;
                for (const double beta : make_betas(o)) left *= 1 - beta;
                const std::string warning = warning_of(make_schedule(o));
                EXPECT_EQ(warning.empty(), std::sqrt(left) <= 0.1) << name << " " << T << ": " << warning;
                if (warning.empty()) continue;
                ++warned;
                EXPECT_NE(warning.find(fmt::format("√ᾱ = {:.2f}", std::sqrt(left))), std::string::npos) << warning;
                EXPECT_NE(warning.find(fmt::format(" {}:", T - 1)), std::string::npos) << warning;
            }
    EXPECT_GE(warned, 5);
}

TEST(Schedule, ZeroTerminalSnrKeepsTheFirstStepAndEndsInNoise) {
    DiffusionOptions o = options("linear");
    o.zero_terminal_snr = true;
    o.prediction_type = "v_prediction";
    const NoiseSchedule schedule = make_schedule(o);
    EXPECT_NEAR(schedule.alphas_cumprod()[0], 0.9999, 1e-15);
    expect_digits(schedule.alphas_cumprod()[998], 4.21326e-9);
    EXPECT_EQ(schedule.alphas_cumprod()[999], 0.0);
    EXPECT_EQ(schedule.sqrt_alphas_cumprod()[999], 0.0);
    EXPECT_EQ(schedule.sqrt_one_minus_alphas_cumprod()[999], 1.0);
    EXPECT_EQ(schedule.betas()[999], 1.0);
    EXPECT_EQ(schedule.posterior_mean_coef2()[999], 0.0);
    EXPECT_EQ(schedule.log_snr()[999], -INFINITY);
    for (int64_t t = 1; t < 1000; ++t) {
        ASSERT_LT(schedule.alphas_cumprod()[t], schedule.alphas_cumprod()[t - 1]);
        ASSERT_TRUE(std::isfinite(schedule.posterior_mean_coef1()[t]));
        ASSERT_TRUE(std::isfinite(schedule.posterior_log_variance_clipped()[t]));
    }
}

TEST(Schedule, ZeroTerminalSnrWorksOnEverySchedule) {
    for (const NoiseScheduleRule& rule : noise_schedules()) {
        for (const int64_t T : {2, 30, 1000}) {
            DiffusionOptions o = options(rule.name, T);
            o.zero_terminal_snr = true;
            o.rescale = T > 20;
            const NoiseSchedule before(rule.betas(o)), after = make_schedule(o);
            EXPECT_EQ(after.alphas_cumprod().back(), 0.0) << rule.name;
            // Algorithm 1 as printed.
            const double a_first = before.sqrt_alphas_cumprod()[0], a_last = before.sqrt_alphas_cumprod().back();
            for (int64_t t = 0; t < T; ++t)
                ASSERT_NEAR(after.sqrt_alphas_cumprod()[t],
                            (before.sqrt_alphas_cumprod()[t] - a_last) * a_first / (a_first - a_last), 1e-13)
                    << rule.name << " " << t;
        }
    }
}

TEST(Schedule, PosteriorVarianceMatchesPublishedValues) {
    const NoiseSchedule schedule = linear_1000();
    EXPECT_EQ(schedule.posterior_variance()[0], 0.0);
    expect_digits(schedule.posterior_variance()[1], 5.45319e-5);
    expect_digits(schedule.posterior_variance()[487], 0.00979157);
    expect_digits(schedule.posterior_variance()[999], 0.01999998, 7);
    expect_digits(schedule.posterior_log_variance_clipped()[0], -9.81673);
    EXPECT_EQ(schedule.posterior_log_variance_clipped()[0], schedule.posterior_log_variance_clipped()[1]);
    expect_digits(std::exp(schedule.log_snr()[200]), 1.90991);
}

// 1 − ᾱ_t summed from the small parts, β_t·ᾱ_{t−1}, has no cancellation either.
TEST(Schedule, OneMinusAlphasCumprodKeepsItsDigits) {
    for (const NoiseScheduleRule& rule : noise_schedules()) {
        for (const int64_t T : {100, 1000, 100000}) {
            const NoiseSchedule schedule = make_schedule(options(rule.name, T));
            double one_minus = 0;
            for (int64_t t = 0; t < T; ++t) {
                one_minus += schedule.betas()[t] * schedule.alphas_cumprod_prev()[t];
                const double sigma_t = schedule.sqrt_one_minus_alphas_cumprod()[t];
                ASSERT_NEAR(sigma_t * sigma_t / one_minus, 1.0, 1e-11) << rule.name << " T=" << T << " t=" << t;
            }
        }
    }
}

TEST(Schedule, TablesFollowFromTheirDefinitions) {
    for (const NoiseScheduleRule& rule : noise_schedules()) {
        const NoiseSchedule schedule = make_schedule(options(rule.name));
        double alpha_bar = 1;
        for (int64_t t = 0; t < schedule.size(); ++t) {
            const double before = alpha_bar, beta = schedule.betas()[t];
            alpha_bar *= 1 - beta;
            ASSERT_NEAR(schedule.alphas_cumprod()[t] / alpha_bar, 1, 1e-12);
            ASSERT_NEAR(schedule.alphas_cumprod_prev()[t] / before, 1, 1e-12);
            ASSERT_NEAR(schedule.sqrt_alphas_cumprod()[t], std::sqrt(alpha_bar), 1e-12);
            ASSERT_NEAR(schedule.log_snr()[t], std::log(alpha_bar / (1 - alpha_bar)), 1e-9);
            ASSERT_NEAR(schedule.posterior_mean_coef1()[t], beta * std::sqrt(before) / (1 - alpha_bar), 1e-9);
            ASSERT_NEAR(schedule.posterior_mean_coef2()[t], (1 - before) * std::sqrt(1 - beta) / (1 - alpha_bar), 1e-9);
        }
    }
}

TEST(Schedule, WorksAtBothEndsOfT) {
    for (const NoiseScheduleRule& rule : noise_schedules()) {
        for (const int64_t T : {2, 1000000}) {
            DiffusionOptions o = options(rule.name, T);
            o.rescale = T > 20;
            if (rule.name == "scaled_linear" && T > 20) o.beta_end = 1e-4;  // it does not fit itself to T
            const NoiseSchedule schedule = make_schedule(o);
            ASSERT_EQ(schedule.size(), T);
            for (int64_t t = 0; t < T; ++t) {
                ASSERT_GT(schedule.betas()[t], 0.0) << rule.name << " " << t;
                ASSERT_LT(schedule.betas()[t], 1.0);
                ASSERT_LT(schedule.alphas_cumprod()[t], schedule.alphas_cumprod_prev()[t]);
                ASSERT_GT(schedule.alphas_cumprod()[t], 0.0);
            }
        }
    }
}

TEST(Schedule, RespacedKeepsAlphasCumprodAndRemembersTheTimes) {
    const NoiseSchedule full = make_schedule(options("cosine"));
    const std::vector<int64_t> times = {0, 10, 333, 998, 999};
    const NoiseSchedule respaced = full.respaced(times);
    EXPECT_EQ(respaced.original_t(), times);
    double previous = 1;
    for (size_t i = 0; i < times.size(); ++i) {
        const double alpha_bar = full.alphas_cumprod()[times[i]];
        EXPECT_EQ(respaced.alphas_cumprod()[i], alpha_bar);
        EXPECT_EQ(respaced.sqrt_one_minus_alphas_cumprod()[i], full.sqrt_one_minus_alphas_cumprod()[times[i]]);
        EXPECT_NEAR(respaced.betas()[i], 1 - alpha_bar / previous, 1e-12);
        previous = alpha_bar;
    }
    EXPECT_EQ(respaced.respaced({1, 3}).original_t(), (std::vector<int64_t>{10, 998}));
    EXPECT_EQ(respaced.respaced({1, 3}).alphas_cumprod()[1], full.alphas_cumprod()[998]);
}

TEST(Schedule, RespacedToEveryStepIsTheSameSchedule) {
    const NoiseSchedule full = linear_1000();
    const NoiseSchedule same = full.respaced(full.original_t());
    for (int64_t t = 0; t < full.size(); ++t) {
        ASSERT_NEAR(same.betas()[t] / full.betas()[t], 1, 1e-11);
        ASSERT_NEAR(same.posterior_variance()[t], full.posterior_variance()[t], 1e-13);
    }
}

TEST(Schedule, RespacedToOneStepGoesStraightToX0) {
    const NoiseSchedule one = linear_1000().respaced({999});
    EXPECT_DOUBLE_EQ(one.posterior_mean_coef1()[0], 1.0);
    EXPECT_EQ(one.posterior_mean_coef2()[0], 0.0);
    EXPECT_EQ(one.posterior_log_variance_clipped()[0], std::log(one.betas()[0]));
}

TEST(Schedule, LevelsAreTheTables) {
    const NoiseSchedule whole = make_schedule(options("cosine")), kept = whole.respaced({3, 250, 999});
    for (const NoiseSchedule& schedule : {whole, kept})
        for (int64_t i = 0; i < schedule.size(); ++i) {
            const NoiseLevel level = schedule.level(i);
            ASSERT_EQ(level.alpha, schedule.sqrt_alphas_cumprod()[i]);
            ASSERT_EQ(level.sigma, schedule.sqrt_one_minus_alphas_cumprod()[i]);
            ASSERT_EQ(level.t, static_cast<double>(schedule.original_t()[i]));
            ASSERT_NEAR(level.log_alpha, std::log(level.alpha), 1e-12);
            ASSERT_NEAR(2 * std::log(level.ratio()), -schedule.log_snr()[i], 1e-9);
            ASSERT_FALSE(level.clean());
        }
    EXPECT_TRUE(clean_level().clean());
    EXPECT_EQ(clean_level().alpha, 1);
    EXPECT_THROW(whole.level(1000), std::exception);
}

// A step between two levels has the bits of the respaced chain, on which samplers and the bound rest alike.
TEST(Schedule, StepsBetweenLevelsAreThoseOfTheRespacedChain) {
    for (const bool zero_terminal_snr : {false, true}) {
        DiffusionOptions o = options("linear");
        o.zero_terminal_snr = zero_terminal_snr;
        const NoiseSchedule chain = make_schedule(o).respaced({0, 1, 40, 41, 700, 999});
        for (int64_t i = 0; i < chain.size(); ++i) {
            const PosteriorStep step = posterior_step(chain.level(i), i == 0 ? clean_level() : chain.level(i - 1));
            EXPECT_EQ(step.beta, chain.betas()[i]);
            EXPECT_EQ(step.coef1, chain.posterior_mean_coef1()[i]);
            EXPECT_EQ(step.coef2, chain.posterior_mean_coef2()[i]);
            EXPECT_EQ(step.variance, chain.posterior_variance()[i]);
        }
    }
}

// Karras' grid (arXiv 2206.00364, eq. 5, ρ = 7) over linear-1000 in 10 steps, and the t that diffusers' EulerDiscrete
// makes of it by interpolating ln k.
TEST(Schedule, LevelOfARatioMatchesDiffusers) {
    const NoiseSchedule schedule = linear_1000();
    const double k_min = schedule.level(0).ratio(), k_max = schedule.level(999).ratio();
    const double ratios[] = {157.40728, 85.71052, 44.04740, 21.10541, 9.27461, 3.65257, 1.24633, 0.34969, 0.07393, 0.01};
    const double times[] = {999, 936.9219, 863.8290, 775.1332, 662.6369, 510.7035, 300.9848, 102.1614, 18.3080, 0};
    for (int i = 0; i < 10; ++i) {
        const double root = std::pow(k_max, 1 / 7.0) + i / 9.0 * (std::pow(k_min, 1 / 7.0) - std::pow(k_max, 1 / 7.0));
        const double k = std::pow(root, 7);
        EXPECT_NEAR(k, ratios[i], 5.1e-6);
        const NoiseLevel level = schedule.level_of_ratio(k);
        EXPECT_NEAR(level.t, times[i], 5.1e-5);
        EXPECT_NEAR(level.ratio() / k, 1, 1e-12);
        EXPECT_NEAR(level.alpha * level.alpha + level.sigma * level.sigma, 1, 1e-14);
    }
}

TEST(Schedule, LevelOfARatioKeepsToTheSchedule) {
    DiffusionOptions zero_snr = options("cosine");
    zero_snr.zero_terminal_snr = true;
    for (const NoiseSchedule& schedule : {linear_1000(), make_schedule(zero_snr), linear_1000().respaced({10, 20, 500, 900})}) {
        const int64_t last = schedule.size() - 1;
        for (int64_t i = 0; i <= last; ++i) {
            const NoiseLevel level = schedule.level_of_ratio(schedule.level(i).ratio());
            ASSERT_EQ(level.t, static_cast<double>(schedule.original_t()[i]));
            ASSERT_NEAR(level.alpha, schedule.level(i).alpha, 1e-15);
            ASSERT_NEAR(level.sigma, schedule.level(i).sigma, 1e-15);
        }
        // Between two entries: the geometric mean of their k lies in the middle of their t.
        const NoiseLevel low = schedule.level(1), high = schedule.level(2);
        EXPECT_NEAR(schedule.level_of_ratio(std::sqrt(low.ratio() * high.ratio())).t, (low.t + high.t) / 2, 1e-9);
        // Beyond the ends.
        EXPECT_EQ(schedule.level_of_ratio(0).t, schedule.level(0).t);
        EXPECT_EQ(schedule.level_of_ratio(0).sigma, schedule.level(0).sigma);
        EXPECT_EQ(schedule.level_of_ratio(INFINITY).t, schedule.level(last).t);
        EXPECT_EQ(schedule.level_of_ratio(INFINITY).alpha, schedule.level(last).alpha);
    }
    // At zero terminal SNR every finite k above that of T−2 belongs to it.
    const NoiseSchedule schedule = make_schedule(zero_snr);
    const NoiseLevel above = schedule.level_of_ratio(2 * schedule.level(998).ratio());
    EXPECT_EQ(above.t, 998);
    EXPECT_NEAR(above.ratio() / schedule.level(998).ratio(), 2, 1e-9);
}

TEST(Schedule, RefusesTimesThatAreNoChain) {
    const NoiseSchedule schedule = linear_1000();
    EXPECT_THROW(schedule.respaced({}), Error);
    EXPECT_THROW(schedule.respaced({5, 5}), Error);
    EXPECT_THROW(schedule.respaced({5, 4}), Error);
    EXPECT_THROW(schedule.respaced({-1, 4}), Error);
    EXPECT_THROW(schedule.respaced({4, 1000}), Error);
}

TEST(Schedule, RefusesBetasThatAreNoNoise) {
    EXPECT_THROW(NoiseSchedule(std::vector<double>{}), Error);
    EXPECT_THROW(NoiseSchedule({0.1, 0.0}), Error);
    EXPECT_THROW(NoiseSchedule({0.1, 1.0, 0.1}), Error);
    EXPECT_THROW(NoiseSchedule({0.1, 1.5}), Error);
    EXPECT_THROW(NoiseSchedule({0.1, NAN}), Error);
    EXPECT_NO_THROW(NoiseSchedule({0.1, 1.0}));
}

TEST(Schedule, GatherShapesLikeItsPartner) {
    const NoiseSchedule schedule = linear_1000();
    const at::Tensor t = at::tensor({0, 999}, at::kLong);
    const at::Tensor coefficients = schedule.betas().gather(t, at::zeros({2, 3, 4, 5}, at::kFloat));
    EXPECT_EQ(coefficients.sizes().vec(), (std::vector<int64_t>{2, 1, 1, 1}));
    EXPECT_EQ(coefficients.scalar_type(), at::kFloat);
    EXPECT_EQ(coefficients[1].item<float>(), 0.02f);
    EXPECT_EQ(schedule.betas().gather(t, at::zeros({2}, at::kDouble))[0].item<double>(), 1e-4);
}

}  // namespace
}  // namespace ddpm
