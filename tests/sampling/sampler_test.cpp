#include "ddpm/sampling/sampler.h"

#include <cmath>

#include <gtest/gtest.h>

#include "ddpm/core/error.h"
#include "ddpm/sampling/spacing.h"
#include "sampling/toys.h"

namespace ddpm {
namespace {

// Bounded and dependent on t, so that a wrong time or a wrong ε̂ shows.
const Network wavy = [](const at::Tensor& x, const at::Tensor& t, const at::Tensor&) {
    return (x * 1.7 + t.to(x.scalar_type()).view({-1, 1, 1, 1}) / 500).sin();
};

const PredictionType kTypes[] = {PredictionType::epsilon, PredictionType::sample, PredictionType::v_prediction};

double largest(const at::Tensor& difference) {
    return difference.abs().max().item<double>();
}

// With η = 1 DDIM is the fixed_small ancestral sampler, clipped or not, because ε̂ follows x̂_0.
TEST(Sampler, DdimWithFullNoiseIsAncestral) {
    const std::vector<int64_t> shape = {4, 3, 8, 8};
    const at::Tensor x_T = torch_noise(shape, 1)(0);
    for (const char* name : {"linear", "cosine"}) {
        for (const char* spacing : {"leading", "trailing", "linspace"}) {
            for (const int64_t S : {1, 7, 50, 300}) {
                for (const PredictionType type : kTypes) {
                    ResolvedSampling settings;
                    settings.timesteps = spaced_timesteps(spacing, 300, S, 0);
                    const NoiseSchedule schedule = schedule_of(name, 300);
                    const at::Tensor ancestral = draw_from(wavy, schedule, type, x_T, settings, torch_noise(shape, 2));
                    settings.sampler = "ddim";
                    settings.eta = 1;
                    const at::Tensor ddim = draw_from(wavy, schedule, type, x_T, settings, torch_noise(shape, 2));
                    ASSERT_LT(largest(ancestral - ddim), 1e-9) << name << " " << spacing << " " << S;
                }
            }
        }
    }
}

TEST(Sampler, UnclippedAncestralStepsAreTheRawForm) {
    const NoiseSchedule schedule = schedule_of("linear", 50);
    const std::vector<int64_t> shape = {2, 1, 4, 4};
    at::Tensor x = torch_noise(shape, 3)(0);
    ResolvedSampling settings;
    settings.timesteps = schedule.original_t();
    settings.clip = false;
    const at::Tensor drawn = draw_from(wavy, schedule, PredictionType::epsilon, x, settings, torch_noise(shape, 4));
    const NoiseSource noise = torch_noise(shape, 4);
    for (int64_t t = 49; t >= 0; --t) {
        const at::Tensor times = at::full({2}, t, at::kLong);
        x = posterior_mean_from_eps(schedule, x, times, wavy(x, times, {}));
        if (t > 0) x = x + std::sqrt(schedule.posterior_variance()[t]) * noise(49 - t);
    }
    EXPECT_LT(largest(drawn - x), 1e-10 * (1 + largest(x)));
}

TEST(Sampler, TheNetworkIsToldTheTimesItWasTrainedWith) {
    const std::vector<int64_t> times = spaced_timesteps("trailing", 1000, 7, 0);
    for (const Sampler& sampler : samplers()) {
        std::vector<int64_t> seen, reported;
        const Network network = [&](const at::Tensor& x, const at::Tensor& t, const at::Tensor&) {
            EXPECT_EQ(t.sizes().vec(), std::vector<int64_t>{2});
            EXPECT_EQ(t.scalar_type(), at::kLong);
            seen.insert(seen.begin(), t[1].item<int64_t>());
            return at::zeros_like(x);
        };
        ResolvedSampling settings;
        settings.sampler = sampler.name;
        settings.timesteps = times;
        int64_t next = 0;
        at::Tensor last;
        const at::Tensor drawn =
            draw_from(network, schedule_of("cosine"), PredictionType::sample, at::ones({2, 1, 2, 2}), settings,
                      torch_noise({2, 1, 2, 2}, 5), [&](const SamplingStep& step) {
                          EXPECT_EQ(step.i, next++);
                          EXPECT_EQ(step.S, 7);
                          EXPECT_EQ(largest(step.pred_x0), 0);
                          reported.insert(reported.begin(), step.t);
                          last = step.x;
                      });
        EXPECT_EQ(seen, times) << sampler.name;
        EXPECT_EQ(reported, times) << sampler.name;
        EXPECT_TRUE(at::equal(last, drawn));
    }
}

TEST(Sampler, NoNoiseInTheLastStep) {
    for (const Sampler& sampler : samplers()) {
        for (const double eta : {0.0, 0.5}) {
            std::vector<int64_t> asked;
            ResolvedSampling settings;
            settings.sampler = sampler.name;
            settings.eta = eta;
            settings.variance = VarianceType::fixed_large;
            settings.timesteps = {3, 500, 999};
            draw_from(wavy, schedule_of("linear"), PredictionType::sample, at::ones({1, 1, 2, 2}), settings,
                      [&](int64_t i) {
                          asked.push_back(i);
                          return at::ones({1, 1, 2, 2});
                      });
            const bool noisy = sampler.has_variance || eta > 0;
            EXPECT_EQ(asked, noisy ? (std::vector<int64_t>{0, 1}) : std::vector<int64_t>{}) << sampler.name;
        }
    }
}

TEST(Sampler, FixedLargeAddsBeta) {
    const NoiseSchedule schedule = schedule_of("linear");
    const Network zero = [](const at::Tensor& x, const at::Tensor&, const at::Tensor&) { return at::zeros_like(x); };
    ResolvedSampling settings;
    settings.timesteps = {500, 999};
    const NoiseSource ones = [](int64_t) { return at::ones({1, 1}, at::kDouble); };
    std::vector<double> reached;
    for (const VarianceType variance : {VarianceType::fixed_small, VarianceType::fixed_large}) {
        settings.variance = variance;
        draw_from(zero, schedule, PredictionType::sample, at::zeros({1, 1}, at::kDouble), settings, ones,
                  [&](const SamplingStep& step) {
                      if (step.i == 0) reached.push_back(step.x.item<double>());
                  });
    }
    const NoiseSchedule respaced = schedule.respaced(settings.timesteps);
    EXPECT_NEAR(reached[0] * reached[0], respaced.posterior_variance()[1], 1e-12);
    EXPECT_NEAR(reached[1] * reached[1], respaced.betas()[1], 1e-12);
}

class KnowsItsVariance : public Denoiser {
public:
    KnowsItsVariance(const Denoiser& inner, double log_variance) : inner_(inner), log_variance_(log_variance) {}
    const NoiseSchedule& schedule() const override { return inner_.schedule(); }
    Prediction predict(const at::Tensor& x_t, int64_t t, const at::Tensor& y) const override {
        Prediction prediction = inner_.predict(x_t, t, y);
        prediction.log_variance = at::full_like(x_t, log_variance_);
        return prediction;
    }

private:
    const Denoiser& inner_;
    double log_variance_;
};

TEST(Sampler, AncestralTakesTheVarianceThatTheDenoiserKnows) {
    const NetworkDenoiser zero([](const at::Tensor& x, const at::Tensor&, const at::Tensor&) { return x * 0; },
                               schedule_of("linear").respaced({500, 999}), PredictionType::sample);
    ResolvedSampling settings;
    settings.timesteps = {500, 999};
    settings.variance = VarianceType::learned_range;
    draw(
        KnowsItsVariance(zero, std::log(0.09)), at::zeros({1, 1}, at::kDouble), {}, settings,
        [](int64_t) {
            return at::ones({1, 1}, at::kDouble);
        },
        [](const SamplingStep& step) {
            if (step.i == 0) {
                EXPECT_NEAR(step.x.item<double>(), 0.3, 1e-15);
            }
        });
}

TEST(Sampler, ClippingKeepsX0AndEpsConsistent) {
    const NetworkDenoiser inner(wavy, schedule_of("cosine"), PredictionType::epsilon);
    const at::Tensor x_t = torch_noise({2, 1, 4, 4}, 6)(0);
    for (const int64_t t : {0, 500, 999}) {
        const Prediction free = inner.predict(x_t, t, {});
        const Prediction clipped = ClippedDenoiser(inner, 0.5, ClippedEps::rederived).predict(x_t, t, {});
        const Prediction raw = ClippedDenoiser(inner, 0.5, ClippedEps::raw).predict(x_t, t, {});
        EXPECT_LE(largest(clipped.pred_x0), 0.5);
        const at::Tensor times = at::full({2}, t, at::kLong);
        EXPECT_LT(
            largest(schedule_of("cosine").sqrt_alphas_cumprod().gather(times, x_t) * clipped.pred_x0 +
                    schedule_of("cosine").sqrt_one_minus_alphas_cumprod().gather(times, x_t) * clipped.pred_eps - x_t),
            1e-13);
        EXPECT_TRUE(at::equal(raw.pred_eps, free.pred_eps));
        EXPECT_TRUE(at::equal(raw.pred_x0, clipped.pred_x0));
    }
}

// At the ends of its range a learned variance is one of the fixed ones, in the middle their geometric mean.
TEST(Sampler, ALearnedVarianceSpansTheFixedOnes) {
    const NoiseSchedule schedule = schedule_of("cosine");
    const std::vector<int64_t> shape = {2, 3, 4, 4};
    const at::Tensor x_T = torch_noise(shape, 5)(0);
    ResolvedSampling settings;
    settings.timesteps = spaced_timesteps("leading", 1000, 30, 0);
    const auto drawn = [&](VarianceType variance, double v) {
        settings.variance = variance;
        const Network network = [&](const at::Tensor& x, const at::Tensor& t, const at::Tensor& y) {
            return at::cat({wavy(x, t, y), at::full_like(x, v)}, 1);
        };
        const NetworkDenoiser denoiser(network, schedule.respaced(settings.timesteps), PredictionType::sample, true);
        return draw(denoiser, x_T, {}, settings, torch_noise(shape, 6));
    };
    const at::Tensor small = drawn(VarianceType::fixed_small, 0.3), large = drawn(VarianceType::fixed_large, 0.3);
    EXPECT_LT(largest(drawn(VarianceType::learned_range, -1) - small), 1e-12);
    EXPECT_LT(largest(drawn(VarianceType::learned_range, 1) - large), 1e-12);
    EXPECT_GT(largest(small - large), 1e-3);

    const at::Tensor middle = learned_range_log_variance(schedule, at::zeros({1}, at::kDouble), 500);
    EXPECT_NEAR(middle.item<double>(), 0.5 * std::log(schedule.betas()[500] * schedule.posterior_variance()[500]), 1e-12);
    const at::Tensor last = learned_range_log_variance(schedule, at::full({1}, -1.0, at::kDouble), 0);
    EXPECT_NEAR(last.item<double>(), std::log(schedule.posterior_variance()[1]), 1e-12);
}

TEST(Sampler, ZeroTerminalSnrStartsFromPureNoise) {
    const NoiseSchedule schedule = schedule_of("linear", 1000, true);
    const std::vector<int64_t> shape = {2, 1, 4, 4};
    const at::Tensor x_T = torch_noise(shape, 7)(0);
    for (const Sampler& sampler : samplers()) {
        for (const double eta : {0.0, 1.0}) {
            for (const PredictionType type : {PredictionType::v_prediction, PredictionType::sample}) {
                ResolvedSampling settings;
                settings.sampler = sampler.name;
                settings.eta = eta;
                settings.timesteps = spaced_timesteps("trailing", 1000, 20, 0);
                const at::Tensor x_0 = draw_from(wavy, schedule, type, x_T, settings, torch_noise(shape, 8));
                EXPECT_TRUE(x_0.isfinite().all().item<bool>());
                EXPECT_LE(largest(x_0), 1 + 1e-12);
            }
        }
    }
    EXPECT_THROW(NetworkDenoiser(wavy, schedule, PredictionType::epsilon), Error);
}

TEST(Sampler, UnknownNamesAndMismatchedChainsAreRefused) {
    EXPECT_THROW(sampler_named("dimm"), Error);
    ResolvedSampling settings;
    settings.timesteps = {1, 2};
    const NetworkDenoiser full(wavy, schedule_of("linear"), PredictionType::sample);
    EXPECT_THROW(draw(full, at::zeros({1, 1, 2, 2}), {}, settings, {}), Error);
    const NetworkDenoiser wrong([](const at::Tensor& x, const at::Tensor&, const at::Tensor&) { return x[0]; },
                                schedule_of("linear"), PredictionType::sample);
    EXPECT_THROW(wrong.predict(at::zeros({2, 1, 2, 2}), 0, {}), Error);
}

// Image 5 of 8 is image 5 of 64, whatever the batch.
TEST(Noise, FollowsFromTheImageAlone) {
    const std::vector<int64_t> shape = {3, 4, 4};
    const at::Tensor eight = start_noise(11, 0, 8, shape), many = start_noise(11, 0, 64, shape);
    EXPECT_TRUE(at::equal(eight[5], many[5]));
    EXPECT_TRUE(at::equal(start_noise(11, 5, 1, shape)[0], many[5]));
    EXPECT_TRUE(at::equal(step_noise(11, 4, 4, shape)(9)[1], step_noise(11, 0, 64, shape)(9)[5]));
    // Nothing is shared between images, steps, purposes and seeds.
    EXPECT_FALSE(at::equal(many[5], many[6]));
    EXPECT_FALSE(at::equal(step_noise(11, 0, 1, shape)(0), step_noise(11, 0, 1, shape)(1)));
    EXPECT_FALSE(at::equal(step_noise(11, 0, 1, shape)(0), start_noise(11, 0, 1, shape)));
    EXPECT_FALSE(at::equal(start_noise(12, 0, 1, shape), start_noise(11, 0, 1, shape)));
}

TEST(Noise, IsStandardNormal) {
    // 192,000 numbers: six standard deviations of mean and variance, false alarm 4e-9.
    const at::Tensor noise = start_noise(13, 0, 1000, {3, 8, 8}).to(at::kDouble);
    EXPECT_NEAR(noise.mean().item<double>(), 0, 6 / std::sqrt(192000.0));
    EXPECT_NEAR(noise.var().item<double>(), 1, 6 * std::sqrt(2 / 192000.0));
}

TEST(Noise, APictureIsTheSameInEveryBatch) {
    const std::vector<int64_t> shape = {3, 8, 8};
    for (const Sampler& sampler : samplers()) {
        ResolvedSampling settings;
        settings.sampler = sampler.name;
        settings.eta = 0.7;
        settings.timesteps = spaced_timesteps("leading", 1000, 20, 0);
        const auto images = [&](int64_t first, int64_t count) {
            return draw_from(wavy, schedule_of("cosine"), PredictionType::epsilon, start_noise(3, first, count, shape),
                             settings, step_noise(3, first, count, shape));
        };
        const at::Tensor of_8 = images(0, 8), of_64 = images(0, 64);
        // Elementwise operators may take another path at the end of a vector: equal to rounding.
        EXPECT_LT(largest(of_8[5] - of_64[5]), 1e-5) << sampler.name;
        EXPECT_LT(largest(images(4, 3)[1] - of_64[5]), 1e-5) << sampler.name;
        EXPECT_GT(largest(of_64[5] - of_64[6]), 0.1) << sampler.name;
    }
}

}  // namespace
}  // namespace ddpm
