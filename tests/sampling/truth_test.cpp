// Data whose optimal ε is known in closed form, through the real samplers. Seeds are fixed, so a result repeats; "false
// alarm" is the probability that a right program would have failed with a seed drawn at random.

#include <cmath>

#include <gtest/gtest.h>

#include "ddpm/sampling/spacing.h"
#include "sampling/toys.h"

namespace ddpm {
namespace {

struct Moments {
    double mean, variance;
};

// What a sampler makes of N(m, s²) with its optimal ε. x̂_0 = A·x + B is linear in x, so each step maps a Gaussian to a
// Gaussian; this follows its moments exactly, discretisation and all.
Moments exact_moments(const NoiseSchedule& schedule, const std::string& sampler, double m, double s) {
    Moments x{0, 1};
    for (int64_t t = schedule.size() - 1; t >= 0; --t) {
        const double a = schedule.sqrt_alphas_cumprod()[t], sigma_t = schedule.sqrt_one_minus_alphas_cumprod()[t];
        const double V = a * a * s * s + sigma_t * sigma_t;
        const double A = a * s * s / V, B = sigma_t * sigma_t * m / V;
        double slope, offset, added;
        if (sampler == "ancestral") {
            slope = schedule.posterior_mean_coef1()[t] * A + schedule.posterior_mean_coef2()[t];
            offset = schedule.posterior_mean_coef1()[t] * B;
            added = schedule.posterior_variance()[t];
        } else {
            const double a_p = t == 0 ? 1 : schedule.sqrt_alphas_cumprod()[t - 1];
            const double sigma_p = t == 0 ? 0 : schedule.sqrt_one_minus_alphas_cumprod()[t - 1];
            slope = a_p * A + sigma_p * (1 - a * A) / sigma_t;
            offset = a_p * B - sigma_p * a * B / sigma_t;
            added = 0;
        }
        x = {slope * x.mean + offset, slope * slope * x.variance + added};
    }
    return x;
}

// Mean and variance of n near-normal numbers stray by 1/√n deviations and √(2/n): six of those each, false alarm 4e-9 a
// comparison.
TEST(Truth, GaussianComesOutWithTheRightMoments) {
    constexpr double m = 0.4, s = 0.25;
    constexpr int64_t kCount = 20000;
    for (const char* name : {"linear", "cosine"}) {
        const NoiseSchedule schedule = schedule_of(name);
        const Network network = Mixture{{1}, {m}, {s}}.optimal_eps(schedule);
        for (const Sampler& sampler : samplers()) {
            for (const int64_t S : {20, 1000}) {
                ResolvedSampling settings;
                settings.sampler = sampler.name;
                settings.timesteps = spaced_timesteps("trailing", 1000, S, 0);
                settings.clip = false;
                const at::Tensor x_0 = draw_from(network, schedule, PredictionType::epsilon,
                                                 torch_noise({kCount}, 21)(0), settings, torch_noise({kCount}, 22));
                const Moments exact = exact_moments(schedule.respaced(settings.timesteps), sampler.name, m, s);
                const double mean = x_0.mean().item<double>(), variance = x_0.var().item<double>();
                EXPECT_NEAR(mean, exact.mean, 6 * std::sqrt(exact.variance / kCount)) << name << sampler.name << S;
                EXPECT_NEAR(variance / exact.variance, 1, 6 * std::sqrt(2.0 / kCount)) << name << sampler.name << S;
                if (S == 1000) {  // and the discretisation is small
                    EXPECT_NEAR(exact.mean, m, 0.005) << name << sampler.name;
                    EXPECT_NEAR(exact.variance / (s * s), 1, 0.03) << name << sampler.name;
                }
            }
        }
    }
}

// 0.3·N(−0.5, 0.1²) + 0.7·N(0.6, 0.08²), n = 10,000. The weights stray by √(0.21/n) = 0.0046, the components' means by
// 0.1/√(0.3n) = 0.0018 and 0.08/√(0.7n) = 0.001, their deviations by 1/√(0.6n) = 1.3 % and 1/√(1.4n) = 0.85 % of
// themselves: five of each, false alarm 6e-7 a comparison, and room for discretisation beside it.
TEST(Truth, MixtureComesOutWithTheRightWeights) {
    const Mixture data{{0.3, 0.7}, {-0.5, 0.6}, {0.1, 0.08}};
    constexpr int64_t kCount = 10000;
    for (const char* name : {"linear", "cosine"}) {
        const NoiseSchedule schedule = schedule_of(name);
        for (const Sampler& sampler : samplers()) {
            for (const bool clip : {true, false}) {
                ResolvedSampling settings;
                settings.sampler = sampler.name;
                settings.timesteps = spaced_timesteps("trailing", 1000, 1000, 0);
                settings.clip = clip;
                const at::Tensor x_0 = draw_from(data.optimal_eps(schedule), schedule, PredictionType::epsilon,
                                                 torch_noise({kCount}, 23)(0), settings, torch_noise({kCount}, 24));
                const std::string where = std::string(name) + " " + sampler.name + (clip ? " clipped" : "");
                const at::Tensor low = x_0.masked_select(x_0 < 0), high = x_0.masked_select(x_0 >= 0);
                EXPECT_NEAR(static_cast<double>(low.numel()) / kCount, 0.3, 5 * 0.0046) << where;
                EXPECT_NEAR(low.mean().item<double>(), -0.5, 5 * 0.0018 + 0.002) << where;
                EXPECT_NEAR(high.mean().item<double>(), 0.6, 5 * 0.001 + 0.002) << where;
                // Near its end the chain knows only one component, so the discretisation of a Gaussian is the
                // mixture's.
                const auto deviation = [&](double m, double s) {
                    return std::sqrt(exact_moments(schedule, sampler.name, m, s).variance);
                };
                EXPECT_NEAR(low.std().item<double>() / deviation(-0.5, 0.1), 1, 5 * 0.013 + 0.01) << where;
                EXPECT_NEAR(high.std().item<double>() / deviation(0.6, 0.08), 1, 5 * 0.0085 + 0.01) << where;
                EXPECT_NEAR(deviation(-0.5, 0.1) / 0.1, 1, 0.05) << where;
                EXPECT_NEAR(deviation(0.6, 0.08) / 0.08, 1, 0.05) << where;
            }
        }
    }
}

// A network knows ε to some accuracy, and only for inputs like those it was trained on. This one is wrong by 0.2 at
// every t, and answers |x_t| > 4 as it does ±4.
Network imperfect(const NoiseSchedule& schedule, const Mixture& data) {
    return [optimal = data.optimal_eps(schedule)](const at::Tensor& x, const at::Tensor& t, const at::Tensor& y) {
        return optimal(x.clamp(-4, 4), t, y) + 0.2;
    };
}

TEST(Truth, CosineWithAnErrorOfEpsDivergesUnlessClipped) {
    const Mixture data{{0.3, 0.7}, {-0.5, 0.6}, {0.1, 0.08}};
    constexpr int64_t kCount = 1000;
    const auto largest = [&](const char* name, bool clip, double* first_step) {
        const NoiseSchedule schedule = schedule_of(name);
        ResolvedSampling settings;
        settings.timesteps = schedule.original_t();
        settings.clip = clip;
        return draw_from(imperfect(schedule, data), schedule, PredictionType::epsilon, torch_noise({kCount}, 25)(0),
                         settings, torch_noise({kCount}, 26),
                         [&](const SamplingStep& step) {
                             if (step.i == 0) *first_step = step.x.mean().item<double>();
                         })
            .abs()
            .max()
            .item<double>();
    };
    double raw_first, clipped_first, linear_first;
    const double raw = largest("cosine", false, &raw_first);
    const double clipped = largest("cosine", true, &clipped_first);
    const double linear = largest("linear", false, &linear_first);
    EXPECT_NEAR(raw_first, -0.2 * 0.999 / std::sqrt(0.001), 0.3);  // the error times 31.6
    EXPECT_NEAR(clipped_first, 0, 0.3);
    EXPECT_NEAR(linear_first, 0, 0.3);
    EXPECT_GT(raw, 1000);    // measured: 2294
    EXPECT_LE(clipped, 1);   // 0.856
    EXPECT_LT(linear, 1.5);  // 0.818
}

}  // namespace
}  // namespace ddpm
