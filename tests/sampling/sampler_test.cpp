#include "ddpm/sampling/sampler.h"

#include <cmath>

#include <gtest/gtest.h>

#include "ddpm/core/error.h"
#include "ddpm/diffusion/posterior.h"
#include "ddpm/sampling/spacing.h"
#include "sampling/toys.h"

namespace ddpm {
namespace {

// Bounded and dependent on t, so that a wrong time or a wrong ε̂ shows.
const Network wavy = [](const at::Tensor& x, const at::Tensor& t, const at::Tensor&) {
    return (x * 1.7 + t.to(x.scalar_type()).view({-1, 1, 1, 1}) / 500).sin();
};

const PredictionType kTypes[] = {PredictionType::epsilon, PredictionType::sample, PredictionType::v_prediction};

double largest(const at::Tensor& difference) { return difference.abs().max().item<double>(); }

// With η = 1 DDIM is the fixed_small ancestral sampler, clipped or not, because ε̂ follows x̂_0.
TEST(Sampler, DdimWithFullNoiseIsAncestral) {
    const std::vector<int64_t> shape = {4, 3, 8, 8};
    const at::Tensor x_T = torch_noise(shape, 1)(0);
    for (const char* name : {"linear", "cosine"}) {
        for (const std::string& spacing : timestep_spacing_names()) {
            for (const int64_t S : {1, 7, 50, 300}) {
                for (const PredictionType type : kTypes) {
                    ResolvedSampling settings;
                    settings.levels = spaced_walk(schedule_of(name, 300), spacing, S);
                    const at::Tensor ancestral = sample_from(wavy, type, x_T, settings, torch_noise(shape, 2));
                    settings.sampler = "ddim";
                    settings.eta = 1;
                    const at::Tensor ddim = sample_from(wavy, type, x_T, settings, torch_noise(shape, 2));
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
    settings.levels = walk_over(schedule, schedule.original_t());
    settings.clip = false;
    const at::Tensor sampled = sample_from(wavy, PredictionType::epsilon, x, settings, torch_noise(shape, 4));
    const NoiseSource noise = torch_noise(shape, 4);
    for (int64_t t = 49; t >= 0; --t) {
        const at::Tensor times = at::full({2}, t, at::kLong);
        x = posterior_mean_from_eps(schedule, x, times, wavy(x, times, {}));
        if (t > 0) x = x + std::sqrt(schedule.posterior_variance()[t]) * noise(49 - t);
    }
    EXPECT_LT(largest(sampled - x), 1e-10 * (1 + largest(x)));
}

TEST(Sampler, TheNetworkIsToldTheTimesItWasTrainedWith) {
    const std::vector<int64_t> times = spaced_timesteps("trailing", 1000, 7, 0);
    for (const Sampler& sampler : samplers()) {
        std::vector<int64_t> seen, reported;
        const Network network = [&](const at::Tensor& x, const at::Tensor& t, const at::Tensor&) {
            EXPECT_EQ(t.sizes().vec(), std::vector<int64_t>{2});
            EXPECT_EQ(t.scalar_type(), at::kFloat);
            seen.insert(seen.begin(), t[1].item<int64_t>());
            return at::zeros_like(x);
        };
        ResolvedSampling settings;
        settings.sampler = sampler.name;
        settings.levels = walk_over(schedule_of("cosine"), times);
        int64_t next = 0;
        at::Tensor last;
        const at::Tensor sampled = sample_from(network, PredictionType::sample, at::ones({2, 1, 2, 2}), settings,
                                               torch_noise({2, 1, 2, 2}, 5), [&](const SamplingStep& step) {
                                                   EXPECT_EQ(step.i, next++);
                                                   EXPECT_EQ(step.S, 7);
                                                   EXPECT_EQ(largest(step.pred_x0), 0);
                                                   EXPECT_EQ(step.to.clean(), step.i == 6);
                                                   reported.insert(reported.begin(), static_cast<int64_t>(step.from.t));
                                                   last = step.x;
                                               });
        EXPECT_EQ(reported, times) << sampler.name;
        EXPECT_EQ(static_cast<int64_t>(seen.size()), sampler.evaluations(7)) << sampler.name;
        if (sampler.evaluations(7) == 7) {
            EXPECT_EQ(seen, times) << sampler.name;
        }
        EXPECT_TRUE(at::equal(last, sampled));
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
            settings.levels = walk_over(schedule_of("linear"), {3, 500, 999});
            sample_from(wavy, PredictionType::sample, at::ones({1, 1, 2, 2}), settings, [&](int64_t i) {
                asked.push_back(i);
                return at::ones({1, 1, 2, 2});
            });
            const bool noisy = sampler.name == "ancestral" || (sampler_info(sampler.name).reads("eta") && eta > 0);
            EXPECT_EQ(asked, noisy ? (std::vector<int64_t>{0, 1}) : std::vector<int64_t>{}) << sampler.name;
        }
    }
}

// --- The three seams: a wrapped network, a wrapped denoiser and a hook work with every sampler. ---

ResolvedSampling few_steps(const std::string& sampler) {
    ResolvedSampling settings;
    settings.sampler = sampler;
    settings.levels = walk_over(schedule_of("cosine"), spaced_timesteps("trailing", 1000, 9, 0));
    return settings;
}

// This network combines two answers of another one, as guidance does. The second answer is the first plus a number that depends on
// the label, so that the result is known for every scale.
TEST(Seams, ANetworkIsWrappedByANetwork) {
    const std::vector<int64_t> shape = {2, 1, 4, 4};
    const at::Tensor x_T = torch_noise(shape, 31)(0);
    const Network labelled = [](const at::Tensor& x, const at::Tensor& t, const at::Tensor& y) {
        return wavy(x, t, {}) + 0.1 * y.to(x.scalar_type()).view({-1, 1, 1, 1});
    };
    const auto guided = [&](double scale) -> Network {
        return [&labelled, scale](const at::Tensor& x, const at::Tensor& t, const at::Tensor& y) {
            const at::Tensor empty = labelled(x, t, at::zeros_like(y)), conditional = labelled(x, t, y);
            return empty + scale * (conditional - empty);
        };
    };
    const auto sampled = [&](const Network& network, const std::string& sampler, int64_t y) {
        return sample(NetworkDenoiser(network, PredictionType::v_prediction), x_T, at::full({2}, y, at::kLong), few_steps(sampler),
                      torch_noise(shape, 32));
    };
    for (const Sampler& sampler : samplers()) {
        EXPECT_LT(largest(sampled(guided(1), sampler.name, 1) - sampled(labelled, sampler.name, 1)), 1e-12);
        EXPECT_LT(largest(sampled(guided(3), sampler.name, 1) - sampled(labelled, sampler.name, 3)), 1e-12);
        EXPECT_GT(largest(sampled(guided(3), sampler.name, 1) - sampled(labelled, sampler.name, 1)), 1e-3);
    }
}

// As thresholding does it: another x̂_0, and ε̂ to go with it.
class HalvedDenoiser : public Denoiser {
public:
    explicit HalvedDenoiser(const Denoiser& inner) : inner_(inner) {}
    Prediction predict(const at::Tensor& x_t, const NoiseLevel& level, const at::Tensor& y) const override {
        Prediction prediction = inner_.predict(x_t, level, y);
        prediction.pred_x0 = prediction.pred_x0 / 2;
        prediction.pred_eps = eps_from_x0(level, x_t, prediction.pred_x0);
        return prediction;
    }

private:
    const Denoiser& inner_;
};

TEST(Seams, ADenoiserIsWrappedByADenoiser) {
    const std::vector<int64_t> shape = {2, 1, 4, 4};
    const at::Tensor x_T = torch_noise(shape, 33)(0);
    const NetworkDenoiser one([](const at::Tensor& x, const at::Tensor& t, const at::Tensor&) { return wavy(x, t, {}) / 2; },
                              PredictionType::sample);
    const NetworkDenoiser two(wavy, PredictionType::sample);
    const HalvedDenoiser halved(two);
    for (const Sampler& sampler : samplers()) {
        const auto sampled = [&](const Denoiser& denoiser) {
            return sample(denoiser, x_T, {}, few_steps(sampler.name), torch_noise(shape, 34));
        };
        EXPECT_LT(largest(sampled(halved) - sampled(one)), 1e-12) << sampler.name;
        EXPECT_GT(largest(sampled(halved) - sampled(two)), 1e-3) << sampler.name;
    }
}

// As inpainting does it: known pixels at the level that x has come to.
TEST(Seams, AHookReplacesWhatAStepArrivedAt) {
    const std::vector<int64_t> shape = {2, 1, 4, 4};
    const at::Tensor x_T = torch_noise(shape, 35)(0), known = torch_noise(shape, 36)(0).clamp(-1, 1);
    at::Tensor mask = at::zeros(shape, at::kDouble);
    mask.slice(3, 0, 2).fill_(1);  // 1: known
    for (const Sampler& sampler : samplers()) {
        const ResolvedSampling settings = few_steps(sampler.name);
        std::vector<at::Tensor> seen;
        std::vector<double> alphas;
        const StepHook hook = [&](const at::Tensor& x, int64_t i, const NoiseLevel& level) {
            EXPECT_EQ(i, static_cast<int64_t>(alphas.size()));
            alphas.push_back(level.alpha);
            return mask * level.alpha * known + (1 - mask) * x;
        };
        const auto look = [&](const SamplingStep& step) { seen.push_back(step.x); };
        const at::Tensor masked = sample_from(wavy, PredictionType::sample, x_T, settings, torch_noise(shape, 37), look, hook);
        const at::Tensor free = sample_from(wavy, PredictionType::sample, x_T, settings, torch_noise(shape, 37));
        ASSERT_EQ(alphas.size(), 9u);
        for (size_t i = 0; i < 9; ++i) {
            EXPECT_EQ(alphas[i], settings.levels[i + 1].alpha) << sampler.name;
            EXPECT_LT(largest(mask * (seen[i] - alphas[i] * known)), 1e-15) << "on_step sees what the hook left";
        }
        EXPECT_LT(largest(mask * (masked - known)), 1e-15) << sampler.name;
        EXPECT_GT(largest(mask * (free - known)), 0.1) << sampler.name;
        const at::Tensor same = sample_from(wavy, PredictionType::sample, x_T, settings, torch_noise(shape, 37), {},
                                            [](const at::Tensor& x, int64_t, const NoiseLevel&) { return x; });
        EXPECT_TRUE(at::equal(same, free)) << sampler.name;
    }
}

// UniPC corrects x_t after the next evaluation. What a hook has made of x_t stays, and the correction is added to it: a shift
// of x_t that the network does not see goes through as it is.
TEST(Seams, UniPcCorrectsWhatTheHookLeft) {
    const NoiseSchedule schedule = schedule_of("cosine");
    const std::vector<int64_t> shape = {2, 1, 4, 4};
    const at::Tensor x_T = torch_noise(shape, 38)(0);
    const Network of_t_alone = [](const at::Tensor& x, const at::Tensor& t, const at::Tensor&) {
        return at::zeros_like(x) + (t.to(x.scalar_type()).view({-1, 1, 1, 1}) / 300).sin();
    };
    ResolvedSampling settings = few_steps("unipc");
    settings.order = 3;
    std::vector<at::Tensor> free, shifted;
    const auto into = [](std::vector<at::Tensor>& seen) { return [&seen](const SamplingStep& step) { seen.push_back(step.x); }; };
    sample_from(of_t_alone, PredictionType::sample, x_T, settings, {}, into(free));
    sample_from(of_t_alone, PredictionType::sample, x_T, settings, {}, into(shifted),
                [](const at::Tensor& x, int64_t i, const NoiseLevel&) { return i == 3 ? x + 1 : x; });
    for (size_t i = 0; i < 9; ++i) {
        const double carried = i < 3 ? 0 : settings.levels[i + 1].sigma / settings.levels[4].sigma;
        EXPECT_LT(largest(shifted[i] - free[i] - carried), 1e-12) << i;
    }
}

// A network's answer may lie in memory that the next answer overwrites, as that of a recording on a GPU does. Predictions must stay
// valid for their callers.
TEST(Denoiser, ItsPredictionsAreTheCallersOwn) {
    const std::vector<int64_t> shape = {2, 3, 4, 4};
    const NoiseSchedule schedule = schedule_of("cosine");
    const at::Tensor x = torch_noise(shape, 41)(0);
    for (const bool predicts_variance : {false, true})
        for (const PredictionType type : kTypes) {
            const auto answer = [&](const at::Tensor& x_t, const at::Tensor& t) {
                const at::Tensor one = wavy(x_t, t, {});
                return predicts_variance ? at::cat({one, one.cos()}, 1) : one;
            };
            at::Tensor buffer;
            const Network reusing = [&](const at::Tensor& x_t, const at::Tensor& t, const at::Tensor&) {
                if (!buffer.defined()) buffer = at::empty_like(answer(x_t, t));
                return buffer.copy_(answer(x_t, t));
            };
            const Network fresh = [&](const at::Tensor& x_t, const at::Tensor& t, const at::Tensor&) { return answer(x_t, t); };
            const NetworkDenoiser kept_by(reusing, type, predicts_variance), expected_of(fresh, type, predicts_variance);
            std::vector<Prediction> kept;
            for (const int64_t t : {900, 500, 100}) kept.push_back(kept_by.predict(x, schedule.level(t), {}));
            for (size_t i = 0; i < 3; ++i) {
                const Prediction expected = expected_of.predict(x, schedule.level(900 - 400 * static_cast<int64_t>(i)), {});
                EXPECT_TRUE(at::equal(kept[i].pred_x0, expected.pred_x0)) << static_cast<int>(type) << " " << i;
                EXPECT_TRUE(at::equal(kept[i].pred_eps, expected.pred_eps)) << static_cast<int>(type) << " " << i;
                ASSERT_EQ(kept[i].variance_fraction.has_value(), predicts_variance);
                if (predicts_variance) {
                    EXPECT_TRUE(at::equal(*kept[i].variance_fraction, *expected.variance_fraction)) << i;
                }
            }
        }
}

TEST(Sampler, FixedLargeAddsBeta) {
    const NoiseSchedule schedule = schedule_of("linear");
    const Network zero = [](const at::Tensor& x, const at::Tensor&, const at::Tensor&) { return at::zeros_like(x); };
    ResolvedSampling settings;
    settings.levels = walk_over(schedule, {500, 999});
    const NoiseSource ones = [](int64_t) { return at::ones({1, 1}, at::kDouble); };
    std::vector<double> reached;
    for (const VarianceType variance : {VarianceType::fixed_small, VarianceType::fixed_large}) {
        settings.variance = variance;
        sample_from(zero, PredictionType::sample, at::zeros({1, 1}, at::kDouble), settings, ones, [&](const SamplingStep& step) {
            if (step.i == 0) reached.push_back(step.x.item<double>());
        });
    }
    const NoiseSchedule respaced = schedule.respaced({500, 999});
    EXPECT_NEAR(reached[0] * reached[0], respaced.posterior_variance()[1], 1e-12);
    EXPECT_NEAR(reached[1] * reached[1], respaced.betas()[1], 1e-12);
}

class KnowsItsVariance : public Denoiser {
public:
    KnowsItsVariance(const Denoiser& inner, double fraction) : inner_(inner), fraction_(fraction) {}
    Prediction predict(const at::Tensor& x_t, const NoiseLevel& level, const at::Tensor& y) const override {
        Prediction prediction = inner_.predict(x_t, level, y);
        prediction.variance_fraction = at::full_like(x_t, fraction_);
        return prediction;
    }

private:
    const Denoiser& inner_;
    double fraction_;
};

TEST(Sampler, AncestralTakesTheVarianceThatTheDenoiserKnows) {
    const NetworkDenoiser zero([](const at::Tensor& x, const at::Tensor&, const at::Tensor&) { return x * 0; },
                               PredictionType::sample);
    ResolvedSampling settings;
    settings.levels = walk_over(schedule_of("linear"), {500, 999});
    settings.variance = VarianceType::learned_range;
    const NoiseSchedule chain = schedule_of("linear").respaced({500, 999});
    // f of a variance of 0.09: ln 0.09 = f·ln β + (1−f)·ln β̃
    const double beta = std::log(chain.betas()[1]), beta_tilde = std::log(chain.posterior_variance()[1]);
    sample(
        KnowsItsVariance(zero, (std::log(0.09) - beta_tilde) / (beta - beta_tilde)), at::zeros({1, 1}, at::kDouble), {}, settings,
        [](int64_t) {
            return at::ones({1, 1}, at::kDouble);
        },
        [](const SamplingStep& step) {
            if (step.i == 0) {
                EXPECT_NEAR(step.x.item<double>(), 0.3, 1e-14);
            }
        });
}

TEST(Sampler, ClippingKeepsX0AndEpsConsistent) {
    const NetworkDenoiser inner(wavy, PredictionType::epsilon);
    const at::Tensor x_t = torch_noise({2, 1, 4, 4}, 6)(0);
    for (const int64_t t : {0, 500, 999}) {
        const NoiseLevel level = schedule_of("cosine").level(t);
        const Prediction free = inner.predict(x_t, level, {});
        const Prediction clipped = ClippedDenoiser(inner, 0.5, ClippedEps::rederived).predict(x_t, level, {});
        const Prediction raw = ClippedDenoiser(inner, 0.5, ClippedEps::raw).predict(x_t, level, {});
        EXPECT_LE(largest(clipped.pred_x0), 0.5);
        EXPECT_LT(largest(level.alpha * clipped.pred_x0 + level.sigma * clipped.pred_eps - x_t), 1e-13);
        EXPECT_TRUE(at::equal(raw.pred_eps, free.pred_eps));
        EXPECT_TRUE(at::equal(raw.pred_x0, clipped.pred_x0));
    }
}

// q of |x̂_0| of each image; here the numbers 0.00 … 2.00 in steps of 0.01, of which the 0.9 quantile is 1.8, and half of them.
TEST(Sampler, ThresholdingScalesAnImageByItsOwnQuantile) {
    const at::Tensor ramp = (at::arange(201, at::kDouble) / 100).view({1, 1, 1, 201});
    const at::Tensor x0 = at::cat({ramp, -ramp, ramp / 2});
    const NetworkDenoiser inner([&](const at::Tensor&, const at::Tensor&, const at::Tensor&) { return x0; },
                                PredictionType::sample);
    const NoiseLevel level = schedule_of("cosine").level(500);
    const at::Tensor x_t = torch_noise(x0.sizes().vec(), 9)(0);
    const Prediction bounded = ThresholdedDenoiser(inner, {0.9, 1.5}, ClippedEps::rederived).predict(x_t, level, {});
    const Prediction free = ThresholdedDenoiser(inner, {0.9}, ClippedEps::rederived).predict(x_t, level, {});
    EXPECT_LT(largest(free.pred_x0[0] - ramp[0].clamp(-1.8, 1.8) / 1.8), 1e-14);
    EXPECT_LT(largest(free.pred_x0[1] + ramp[0].clamp(-1.8, 1.8) / 1.8), 1e-14);
    EXPECT_LT(largest(free.pred_x0[2] - ramp[0] / 2), 1e-14) << "q is at least 1";
    EXPECT_LT(largest(bounded.pred_x0[0] - ramp[0].clamp(-1.5, 1.5) / 1.5), 1e-14);
    EXPECT_LT(largest(level.alpha * free.pred_x0 + level.sigma * free.pred_eps - x_t), 1e-13);
    const Prediction clipped = ClippedDenoiser(inner, 1, ClippedEps::rederived).predict(x_t, level, {});
    EXPECT_TRUE(
        at::equal(ThresholdedDenoiser(inner, {0.9, 1}, ClippedEps::rederived).predict(x_t, level, {}).pred_x0, clipped.pred_x0))
        << "with a largest q of 1 it is clipping";
    const Prediction raw = ThresholdedDenoiser(inner, {0.9}, ClippedEps::raw).predict(x_t, level, {});
    EXPECT_TRUE(at::equal(raw.pred_eps, inner.predict(x_t, level, {}).pred_eps));
}

// Every sampler arrives at the x̂_0 of its last step, so the result shows the thresholds.
TEST(Sampler, ThresholdingWorksWithEverySampler) {
    const std::vector<int64_t> shape = {3, 3, 4, 4};
    const at::Tensor x_T = torch_noise(shape, 10)(0);
    for (const Sampler& sampler : samplers()) {
        ResolvedSampling settings = few_steps(sampler.name);
        settings.clip = false;
        const Network large = [](const at::Tensor& x, const at::Tensor& t, const at::Tensor&) { return 3 * wavy(x, t, {}); };
        const at::Tensor free = sample_from(large, PredictionType::sample, x_T, settings, torch_noise(shape, 11));
        settings.thresholding = Thresholding{0.8};
        const at::Tensor thresholded = sample_from(large, PredictionType::sample, x_T, settings, torch_noise(shape, 11));
        EXPECT_GT(largest(free), 1.5) << sampler.name;
        EXPECT_EQ(largest(thresholded), 1) << sampler.name;
        const at::Tensor saturated = (thresholded.abs() > 1 - 1e-12).flatten(1).sum(1);
        EXPECT_TRUE((saturated == 10).all().item<bool>()) << "the last fifth of 48 values: " << saturated;
    }
}

// At the ends of its range a learned variance is one of the fixed ones, in the middle their geometric mean.
TEST(Sampler, ALearnedVarianceSpansTheFixedOnes) {
    const NoiseSchedule schedule = schedule_of("cosine");
    const std::vector<int64_t> shape = {2, 3, 4, 4};
    const at::Tensor x_T = torch_noise(shape, 5)(0);
    ResolvedSampling settings;
    settings.levels = walk_over(schedule, spaced_timesteps("leading", 1000, 30, 0));
    const auto sampled = [&](VarianceType variance, double v) {
        settings.variance = variance;
        const Network network = [&](const at::Tensor& x, const at::Tensor& t, const at::Tensor& y) {
            return at::cat({wavy(x, t, y), at::full_like(x, v)}, 1);
        };
        return sample(NetworkDenoiser(network, PredictionType::sample, true), x_T, {}, settings, torch_noise(shape, 6));
    };
    const at::Tensor small = sampled(VarianceType::fixed_small, 0.3), large = sampled(VarianceType::fixed_large, 0.3);
    EXPECT_LT(largest(sampled(VarianceType::learned_range, -1) - small), 1e-12);
    EXPECT_LT(largest(sampled(VarianceType::learned_range, 1) - large), 1e-12);
    EXPECT_GT(largest(small - large), 1e-3);

    const auto at_t = [](int64_t t) { return at::full({1}, t, at::kLong); };
    const at::Tensor middle = learned_range_log_variance(schedule, at::full({1}, 0.5, at::kDouble), at_t(500));
    EXPECT_NEAR(middle.item<double>(), 0.5 * std::log(schedule.betas()[500] * schedule.posterior_variance()[500]), 1e-12);
    const at::Tensor last = learned_range_log_variance(schedule, at::zeros({1}, at::kDouble), at_t(0));
    EXPECT_NEAR(last.item<double>(), std::log(schedule.posterior_variance()[1]), 1e-12);
}

TEST(Sampler, ZeroTerminalSnrStartsFromPureNoise) {
    const NoiseSchedule schedule = schedule_of("linear", 1000, true);
    const std::vector<int64_t> shape = {2, 1, 4, 4};
    const at::Tensor x_T = torch_noise(shape, 7)(0);
    for (const Sampler& sampler : samplers()) {
        for (const double eta : {0.0, 1.0}) {
            for (const PredictionType type : {PredictionType::v_prediction, PredictionType::sample}) {
                for (const char* spacing : {"trailing", "karras", "exponential"}) {
                    ResolvedSampling settings;
                    settings.sampler = sampler.name;
                    settings.eta = eta;
                    settings.order = 3;
                    settings.levels = spaced_walk(schedule, spacing, 20);
                    settings.churn.levels = churned_levels(settings.levels, schedule, 40 * eta, 0, 1e9);
                    const at::Tensor x_0 = sample_from(wavy, type, x_T, settings, torch_noise(shape, 8));
                    EXPECT_TRUE(x_0.isfinite().all().item<bool>()) << sampler.name << " " << spacing;
                    EXPECT_LE(largest(x_0), 1 + 1e-12) << sampler.name << " " << spacing;
                }
            }
        }
    }
    const NetworkDenoiser epsilon(wavy, PredictionType::epsilon);
    EXPECT_THROW(epsilon.predict(x_T, schedule.level(999), {}), Error);
    EXPECT_NO_THROW(epsilon.predict(x_T, schedule.level(998), {}));
}

TEST(Sampler, UnknownNamesAndWalksThatLeadNowhereAreRefused) {
    EXPECT_THROW(sampler_named("dimm"), Error);
    const NoiseSchedule schedule = schedule_of("linear");
    const NetworkDenoiser denoiser(wavy, PredictionType::sample);
    const at::Tensor x_T = at::zeros({2, 1, 2, 2});
    ResolvedSampling settings;
    EXPECT_THROW(sample(denoiser, x_T, {}, settings, {}), Error) << "no levels";
    settings.levels = {schedule.level(2), schedule.level(1)};
    EXPECT_THROW(sample(denoiser, x_T, {}, settings, {}), Error) << "not to a clean picture";
    EXPECT_THROW(walk_over(schedule, {2, 1}), Error);
    EXPECT_THROW(walk_over(schedule, {}), Error);
    const NetworkDenoiser wrong([](const at::Tensor& x, const at::Tensor&, const at::Tensor&) { return x[0]; },
                                PredictionType::sample);
    EXPECT_THROW(wrong.predict(x_T, schedule.level(0), {}), Error);
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
        settings.levels = walk_over(schedule_of("cosine"), spaced_timesteps("leading", 1000, 20, 0));
        const auto images = [&](int64_t first, int64_t count) {
            return sample_from(wavy, PredictionType::epsilon, start_noise(3, first, count, shape), settings,
                               step_noise(3, first, count, shape));
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
