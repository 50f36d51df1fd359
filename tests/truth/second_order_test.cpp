// Samplers of second order on a Gaussian, N(0.3, 0.3²), by what a sampler makes of x_T and of 0: with an x̂_0 that is linear
// in x its answer is M·x_T + c, and nothing is drawn at random.

#include <cmath>

#include <gtest/gtest.h>

#include "ddpm/sampling/spacing.h"
#include "sampling/toys.h"

namespace ddpm {
namespace {

constexpr double kMean = 0.3, kDeviation = 0.3;

struct Normal {
    double mean, variance;
};

// q at a level.
Normal noised(const NoiseLevel& level) {
    return {level.alpha * kMean, std::pow(level.alpha * kDeviation, 2) + std::pow(level.sigma, 2)};
}

// What x ~ `start` at the first of the levels has become after `steps` steps of a sampler that adds no noise.
Normal law_after(int64_t steps, const std::string& sampler, const Walk& levels, const Normal& start) {
    // The network knows a level by its t, here its place in the walk.
    Walk numbered = levels;
    for (size_t i = 0; i < numbered.size(); ++i) numbered[i].t = static_cast<double>(i);
    const Network best_x0 = [&](const at::Tensor& x, const at::Tensor& t, const at::Tensor&) {
        const NoiseLevel& level = numbered[static_cast<size_t>(t[0].item<int64_t>())];
        const double gain = level.alpha * kDeviation * kDeviation / noised(level).variance;
        return kMean + gain * (x - level.alpha * kMean);
    };
    ResolvedSampling settings;
    settings.sampler = sampler;
    settings.levels = numbered;
    settings.clip = false;
    at::Tensor reached;
    sample_from(best_x0, PredictionType::sample, at::tensor({0.0, 1.0}, at::kDouble).view({2, 1}), settings, {},
                [&](const SamplingStep& step) {
                    if (step.i + 1 == steps) reached = step.x;
                });
    const double c = reached[0].item<double>(), M = reached[1].item<double>() - c;
    return {c + M * start.mean, M * M * start.variance};
}

// From k = 10 to k = 0.05, ln k in even steps; then to the clean level, which is not looked at.
Walk even_in_log_k(int64_t S) {
    Walk levels;
    for (int64_t i = 0; i <= S; ++i) {
        const double k = 10 * std::pow(0.05 / 10, static_cast<double>(i) / static_cast<double>(S));
        levels.push_back(noise_level(-0.5 * std::log1p(k * k), 0));
    }
    levels.push_back(clean_level());
    return levels;
}

double variance_error(const std::string& sampler, int64_t S) {
    const Walk levels = even_in_log_k(S);
    const Normal law = law_after(S, sampler, levels, noised(levels.front()));
    const Normal exact = noised(levels[static_cast<size_t>(S)]);
    EXPECT_NEAR(law.mean, exact.mean, 1e-12) << sampler << " keeps the mean, " << S;
    return law.variance / exact.variance - 1;
}

// The values of a float64 restatement of the paper's algorithm.
TEST(SecondOrder, TheErrorOfTheVarianceIsThatOfTheEquations) {
    EXPECT_NEAR(variance_error("dpmpp_2m", 20), 0.0064346, 5.1e-8);
    EXPECT_NEAR(variance_error("dpmpp_2m", 40), 0.0017549, 5.1e-8);
    EXPECT_NEAR(variance_error("dpmpp_2m", 80), 4.5063e-4, 5.1e-9);
}

TEST(SecondOrder, TheErrorFallsWithTheSecondOrder) {
    const double slope = std::log2(variance_error("dpmpp_2m", 80) / variance_error("dpmpp_2m", 160));
    EXPECT_GT(slope, 1.85);
    EXPECT_LT(slope, 2.15);
    const double first = std::log2(variance_error("ddim", 80) / variance_error("ddim", 160));
    EXPECT_NEAR(first, 1, 0.15) << "where DDIM has the first";
}

// The standard deviation that few steps over linear-1000 leave of N(0, 1), whole walks to the clean level.
TEST(SecondOrder, FewStepsComeNearerThanDdim) {
    const auto deviation = [](const std::string& sampler, int64_t S) {
        const Walk levels = walk_over(schedule_of("linear"), spaced_timesteps("trailing", 1000, S, 0));
        return std::sqrt(law_after(S, sampler, levels, {0, 1}).variance);
    };
    EXPECT_NEAR(deviation("dpmpp_2m", 10), 0.19392493, 5.1e-9);
    EXPECT_NEAR(deviation("dpmpp_2m", 50), 0.29518885, 5.1e-9);
    EXPECT_NEAR(deviation("ddim", 10), 0.18455053, 5.1e-9);
    EXPECT_NEAR(deviation("ddim", 50), 0.27328740, 5.1e-9);
}

}  // namespace
}  // namespace ddpm
