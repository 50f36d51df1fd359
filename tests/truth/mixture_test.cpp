// Mixtures, whose ε is not linear. Seeds are fixed, so a result repeats; "false alarm" is the probability that a right
// program would have failed with a seed drawn at random.

#include <cmath>

#include <gtest/gtest.h>

#include "ddpm/sampling/spacing.h"
#include "diffusion/statistics.h"
#include "truth/closed_forms.h"

namespace ddpm {
namespace {

// Four places around each of three circles on a torus of radii 2 and 0.7, far beyond [−1, 1]; place k of 12 has weight
// k+1 of 78.
GaussianMixture on_a_torus(double deviation) {
    std::vector<double> weight, mean;
    for (int k = 0; k < 12; ++k) {
        const double phi = 2 * M_PI * (k / 4) / 3, theta = 2 * M_PI * (k % 4) / 4;
        weight.push_back((k + 1) / 78.0);
        for (const double x :
             {(2 + 0.7 * std::cos(theta)) * std::cos(phi), (2 + 0.7 * std::cos(theta)) * std::sin(phi), 0.7 * std::sin(theta)})
            mean.push_back(x);
    }
    return round_mixture(numbers(weight), numbers(mean).view({12, 3}), at::full({12}, deviation, at::kDouble));
}

// How many samples end nearest to each row of `places` [K, D].
at::Tensor counts_of(const at::Tensor& nearest, int64_t K) { return at::bincount(nearest, {}, K).to(at::kDouble); }

// Σ (n_k − n·w_k)²/(n·w_k)
double chi_squared(const at::Tensor& counts, const at::Tensor& weight) {
    const at::Tensor expected = counts.sum() * weight;
    return ((counts - expected).square() / expected).sum().item<double>();
}

// 3,000 samples. Over all 1,000 steps the weights follow the multinomial law: χ² with 11 degrees of freedom
// exceeds 48.9 with probability 1e-6; mean and covariance, whose largest standard errors are 0.03 and 0.06, stray by
// five of those. With 50 and 10 steps the discretisation adds up to 0.05 and 0.2 to the total variation from the
// weights, which chance alone makes 0.02. Within a mode, at the end of a fine chain, only that mode counts: the
// variance is the exact one of a single Gaussian to five standard errors, 7 %; to 30 % with 50 steps.
TEST(Torus, ModesComeOutWithTheirWeightsAndWidths) {
    constexpr int64_t n = 3000;
    constexpr double s = 0.1;
    const GaussianMixture data = on_a_torus(s);
    const Law one = {at::zeros({3}, at::kDouble), s * s * at::eye(3, at::kDouble)};
    const NoiseSchedule schedule = schedule_of("linear");
    uint64_t seed = 200;
    for (const Way& way : ways())
        for (const int64_t S : {10, 50, 1000}) {
            const std::vector<int64_t> times = spaced_timesteps("linspace", 1000, S, 0);
            const at::Tensor x_T = torch_noise({n, 3}, ++seed)(0);
            const at::Tensor x_0 = sample_from(data.optimal_eps(schedule), PredictionType::epsilon, x_T, way.over(schedule, times),
                                               torch_noise({n, 3}, ++seed));
            const at::Tensor place = at::cdist(x_0, data.mean).argmin(1);
            const at::Tensor counts = counts_of(place, 12);
            const double variation = 0.5 * (counts / static_cast<double>(n) - data.weight).abs().sum().item<double>();
            EXPECT_LT(variation, S == 10 ? 0.25 : S == 50 ? 0.08 : 0.04) << way.name << " " << S;
            if (S == 10) continue;
            const double within = (x_0 - data.mean.index({place})).square().mean().item<double>();
            const double exact =
                law_by_equations(one, schedule.respaced(times), way, standard_normal(3)).covariance[0][0].item<double>();
            EXPECT_NEAR(within / exact, 1, S == 50 ? 0.3 : 0.07) << way.name << " " << S;
            if (S == 50) continue;
            EXPECT_LT(chi_squared(counts, data.weight), 48.9) << way.name;
            EXPECT_LT(largest(x_0.mean(0) - data.total_mean()), 0.15) << way.name;
            EXPECT_LT(largest(at::cov(x_0.t()) - data.total_covariance()), 0.3) << way.name;
            EXPECT_NEAR(exact / (s * s), 1, 0.08) << way.name;
        }
}

// One dimension with a gap: 0.3·N(−0.5, 0.15²) + 0.7·N(0.6, 0.1²).
GaussianMixture with_a_gap() { return mixture_on_a_line({0.3, 0.7}, {-0.5, 0.6}, {0.15, 0.1}); }

// The p-quantile of x_t where a and σ are those of t (1 and 0: of the data).
double quantile(const GaussianMixture& data, double a, double sigma_t, double p) {
    double low = -20, high = 20;
    for (int i = 0; i < 100; ++i) {
        const double x = 0.5 * (low + high);
        double below = 0;
        for (int64_t k = 0; k < data.weight.size(0); ++k)
            below += data.weight[k].item<double>() *
                     normal_cdf((x - a * data.mean[k][0].item<double>()) /
                                std::sqrt(a * a * data.covariance[k][0][0].item<double>() + sigma_t * sigma_t));
        (below < p ? low : high) = x;
    }
    return low;
}

// On a line the probability-flow ODE takes the p-quantile of x_T to the p-quantile of the data, whatever the data.
// DDIM with η = 0 solves it by steps of first order. Quantiles next to the gap (0.3) have no slope to speak of.
TEST(Line, DdimReachesTheQuantilesWithTheFirstOrder) {
    const GaussianMixture data = with_a_gap();
    std::vector<double> p, wanted, errors;
    for (double q = 0.02; q < 0.99; q += 0.04)
        if (std::abs(q - 0.3) > 0.03) p.push_back(q);
    for (const double q : p) wanted.push_back(quantile(data, 1, 0, q));
    for (const int64_t T : {800, 1600, 3200, 6400}) {
        const NoiseSchedule schedule = schedule_of("linear", T);
        std::vector<double> start;
        for (const double q : p)
            start.push_back(
                quantile(data, schedule.sqrt_alphas_cumprod().back(), schedule.sqrt_one_minus_alphas_cumprod().back(), q));
        const at::Tensor x_0 = sample_from(data.optimal_eps(schedule), PredictionType::epsilon, numbers(start),
                                           ways()[2].over(schedule, schedule.original_t()), {});
        errors.push_back(largest(x_0 - numbers(wanted)));
    }
    double previous = 0.88;
    for (size_t i = 0; i + 1 < errors.size(); ++i) {
        const double slope = std::log2(errors[i] / errors[i + 1]);
        EXPECT_GT(slope, previous) << "the order should come nearer to 1";  // measured: 0.904, 0.918, 0.928
        EXPECT_LT(slope, 1.05);
        previous = slope;
    }
    EXPECT_LT(errors.back(), 1e-3);
}

// 0.3·N(−0.5, 0.1²) + 0.7·N(0.6, 0.08²), n = 10,000. The weights stray by √(0.21/n) = 0.0046, the components' means by
// 0.1/√(0.3n) = 0.0018 and 0.08/√(0.7n) = 0.001, their deviations by 1/√(0.6n) = 1.3 % and 1/√(1.4n) = 0.85 % of
// themselves: five of each, false alarm 6e-7 a comparison, and room for discretisation beside it. Clipping does no harm
// to data within [−1, 1].
TEST(Line, ClippingLeavesDataWithinItsRangeAlone) {
    const GaussianMixture data = mixture_on_a_line({0.3, 0.7}, {-0.5, 0.6}, {0.1, 0.08});
    constexpr int64_t n = 10000;
    for (const char* name : {"linear", "cosine"}) {
        const NoiseSchedule schedule = schedule_of(name);
        for (const Way& way : {ways()[0], ways()[2]}) {
            for (const bool clip : {true, false}) {
                ResolvedSampling settings = way.over(schedule, schedule.original_t());
                settings.clip = clip;
                const at::Tensor x_0 = sample_from(data.optimal_eps(schedule), PredictionType::epsilon, torch_noise({n}, 23)(0),
                                                   settings, torch_noise({n}, 24));
                const std::string where = std::string(name) + " " + way.name + (clip ? " clipped" : "");
                const at::Tensor low = x_0.masked_select(x_0 < 0), high = x_0.masked_select(x_0 >= 0);
                EXPECT_NEAR(static_cast<double>(low.numel()) / n, 0.3, 5 * 0.0046) << where;
                EXPECT_NEAR(low.mean().item<double>(), -0.5, 5 * 0.0018 + 0.002) << where;
                EXPECT_NEAR(high.mean().item<double>(), 0.6, 5 * 0.001 + 0.002) << where;
                // Near its end the chain knows only one component, so the discretisation of a Gaussian is the
                // mixture's.
                const auto deviation = [&](double m, double s) {
                    const Law one = {numbers({m}), numbers({s * s}).view({1, 1})};
                    return std::sqrt(law_by_equations(one, schedule, way, standard_normal(1)).covariance.item<double>());
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
Network imperfect(const NoiseSchedule& schedule, const GaussianMixture& data) {
    return [optimal = data.optimal_eps(schedule)](const at::Tensor& x, const at::Tensor& t, const at::Tensor& y) {
        return optimal(x.clamp(-4, 4), t, y) + 0.2;
    };
}

TEST(Line, CosineWithAnErrorOfEpsDivergesUnlessClipped) {
    const GaussianMixture data = mixture_on_a_line({0.3, 0.7}, {-0.5, 0.6}, {0.1, 0.08});
    constexpr int64_t n = 1000;
    const auto farthest = [&](const char* name, bool clip, double* first_step) {
        const NoiseSchedule schedule = schedule_of(name);
        ResolvedSampling settings = ways()[0].over(schedule, schedule.original_t());
        settings.clip = clip;
        return largest(sample_from(imperfect(schedule, data), PredictionType::epsilon, torch_noise({n}, 25)(0), settings,
                                   torch_noise({n}, 26), [&](const SamplingStep& step) {
                                       if (step.i == 0) *first_step = step.x.mean().item<double>();
                                   }));
    };
    double raw_first, clipped_first, linear_first;
    const double raw = farthest("cosine", false, &raw_first);
    const double clipped = farthest("cosine", true, &clipped_first);
    const double linear = farthest("linear", false, &linear_first);
    EXPECT_NEAR(raw_first, -0.2 * 0.999 / std::sqrt(0.001), 0.3);  // the error times 31.6
    EXPECT_NEAR(clipped_first, 0, 0.3);
    EXPECT_NEAR(linear_first, 0, 0.3);
    EXPECT_GT(raw, 1000);    // measured: 2294
    EXPECT_LE(clipped, 1);   // 0.856
    EXPECT_LT(linear, 1.5);  // 0.818
}

}  // namespace
}  // namespace ddpm
