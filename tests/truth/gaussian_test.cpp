// Gaussian data with any covariance: what a sampler makes of them is itself a Gaussian, known to rounding. Seeds are
// fixed, so a result repeats; "false alarm" is the probability that a right program would have failed with a seed drawn
// at random.

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "ddpm/sampling/spacing.h"
#include "truth/closed_forms.h"

namespace ddpm {
namespace {

// Correlated, of unlike widths (0.24, 0.68 and 1.13 along its axes), and beyond [−1, 1].
Law correlated() {
    return {numbers({1.5, -0.5, 0.1}), numbers({0.90, 0.50, -0.20, 0.50, 0.60, 0.10, -0.20, 0.10, 0.30}).view({3, 3})};
}

TEST(Gaussian, TheSamplersLawIsThatOfTheEquations) {
    const Law data = correlated(), start = standard_normal(3);
    for (const char* name : {"linear", "cosine"})
        for (const Way& way : ways())
            for (const int64_t S : {1, 10, 50, 200}) {
                const NoiseSchedule schedule = schedule_of(name);
                const std::vector<int64_t> times = spaced_timesteps("linspace", 1000, S, 0);
                const Law sampled = law_by_sampling(data, schedule, way, times, start);
                const Law equations = law_by_equations(data, schedule.respaced(times), way, start);
                EXPECT_LT(largest(sampled.mean - equations.mean), 1e-9) << name << " " << way.name << " " << S;
                EXPECT_LT(largest(sampled.covariance - equations.covariance), 1e-9) << name << " " << way.name << " " << S;
            }
}

// 4,000 samples whitened by the exact law: each mean strays by 1/√n, a variance by √(2/n), a covariance by 1/√n. Six of
// those each, nine comparisons a run and 30 runs: false alarm 5e-7 for the whole test.
TEST(Gaussian, SamplesFollowTheExactLaw) {
    constexpr int64_t n = 4000;
    const Law data = correlated();
    uint64_t seed = 100;
    for (const char* name : {"linear", "cosine"})
        for (const Way& way : ways())
            for (const int64_t S : {10, 50, 1000}) {
                const NoiseSchedule schedule = schedule_of(name);
                const std::vector<int64_t> times = spaced_timesteps("linspace", 1000, S, 0);
                const Law exact = law_by_equations(data, schedule.respaced(times), way, standard_normal(3));
                const at::Tensor x_T = torch_noise({n, 3}, ++seed)(0);
                const at::Tensor x_0 =
                    sample_from(one_gaussian(data.mean, data.covariance).optimal_eps(schedule), PredictionType::epsilon, x_T,
                                way.over(schedule, times), torch_noise({n, 3}, ++seed));
                const at::Tensor white =
                    at::linalg_solve_triangular(at::linalg_cholesky(exact.covariance), (x_0 - exact.mean).t().contiguous(), false);
                const at::Tensor mean = white.mean(1);
                const at::Tensor off = at::matmul(white, white.t()) / static_cast<double>(n) - at::eye(3, at::kDouble);
                const double strays = 6 / std::sqrt(static_cast<double>(n));
                EXPECT_LT(largest(mean), strays) << name << " " << way.name << " " << S;
                EXPECT_LT(largest(off.diagonal()), std::sqrt(2.0) * strays) << name << " " << way.name << " " << S;
                EXPECT_LT(largest(off.triu(1)), strays) << name << " " << way.name << " " << S;
            }
}

// How far a law is from the data's: the largest difference of a mean or a covariance, which are of the order of 1.
double distance(const Law& law, const Law& data) {
    return std::max(largest(law.mean - data.mean), largest(law.covariance - data.covariance));
}

// The chain is refined, T steps of the linear schedule with β scaled by 1/T, and begins with the exact law of x_T, so
// that nothing but the size of the steps is between the sampler and the data. The order is the slope of ln(error) over
// ln(1/T) from T to 2T: 1 where the error is C/T; where it is C·ln(T)/T, as with β̃_t, the slope comes up to 1 from
// below like 1 − 1/ln(T). All of it is computed without a random number.
TEST(Gaussian, TheErrorFallsWithTheFirstOrder) {
    const Law data = {numbers({1.5, -0.5}), numbers({0.90, 0.35, 0.35, 0.30}).view({2, 2})};
    for (const Way& way : ways()) {
        std::vector<double> errors;
        for (const int64_t T : {100, 200, 400, 800}) {
            const NoiseSchedule schedule = schedule_of("linear", T);
            const Law law = law_by_sampling(data, schedule, way, schedule.original_t(), noised(data, schedule));
            errors.push_back(distance(law, data));
        }
        double from_one = 1;
        for (size_t i = 0; i + 1 < errors.size(); ++i) {
            const double slope = std::log2(errors[i] / errors[i + 1]);
            EXPECT_GT(slope, 0.9) << way.name;   // measured: 0.920 (fixed_small, 100 to 200 steps) …
            EXPECT_LT(slope, 1.05) << way.name;  // … 1.036 (fixed_large, the same)
            EXPECT_LT(std::abs(slope - 1), from_one) << way.name << ": the order should come nearer to 1";
            from_one = std::abs(slope - 1);
        }
        EXPECT_LT(errors.back(), 0.015) << way.name;
    }
}

// Over the T = 1000 of a model: 10 steps are rough, 50 passable, 1000 good.
TEST(Gaussian, MoreStepsOfOneScheduleComeNearer) {
    const Law data = correlated();
    for (const char* name : {"linear", "cosine"})
        for (const Way& way : ways()) {
            double previous = 1e9;
            for (const int64_t S : {10, 50, 1000}) {
                const NoiseSchedule schedule = schedule_of(name);
                const NoiseSchedule kept = schedule.respaced(spaced_timesteps("linspace", 1000, S, 0));
                const double error = distance(law_by_equations(data, kept, way, standard_normal(3)), data);
                EXPECT_LT(error, previous) << name << " " << way.name << " " << S;
                previous = error;
            }
            EXPECT_LT(previous, 0.02) << name << " " << way.name;
        }
}

}  // namespace
}  // namespace ddpm
