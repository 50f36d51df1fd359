#include "ddpm/diffusion/timestep_sampling.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "ddpm/diffusion/schedule.h"
#include "diffusion/statistics.h"
#include "support/errors.h"

namespace ddpm {
namespace {

// How often each t came in `draws` draws, each from a stream of its own as in training.
std::vector<int64_t> counts(const LossOptions& options, const NoiseSchedule& schedule, int64_t draws) {
    std::vector<int64_t> counted(static_cast<size_t>(schedule.size()));
    const TimestepSampling& sampling = timestep_sampling(options.timestep_sampling);
    for (int64_t i = 0; i < draws; ++i) {
        RandomStream stream(23, Purpose::timestep, static_cast<uint64_t>(i / 64), static_cast<uint64_t>(i % 64));
        ++counted.at(static_cast<size_t>(sampling.draw(options, schedule.levels(), stream)));
    }
    return counted;
}

// The distance of Kolmogorov and Smirnov between what was drawn and P(t ≤ i) = below(i). For a distribution of whole numbers the
// bound of Dvoretzky, Kiefer and Wolfowitz holds too.
template <class Below>
double distance(const std::vector<int64_t>& counted, int64_t draws, const Below& below) {
    double largest = 0;
    int64_t sum = 0;
    for (size_t i = 0; i < counted.size(); ++i) {
        sum += counted[i];
        largest = std::max(largest, std::abs(static_cast<double>(sum) / static_cast<double>(draws) - below(i)));
    }
    return largest;
}

// ln k in the middle between t and t + 1, from ᾱ as a product of 1 − β.
std::vector<double> middles(const NoiseSchedule& schedule) {
    std::vector<double> log_k, between;
    long double abar = 1, lost = 0;
    for (int64_t t = 0; t < schedule.size(); ++t) {
        lost += static_cast<long double>(schedule.betas()[t]) * abar;
        abar *= 1 - static_cast<long double>(schedule.betas()[t]);
        log_k.push_back(static_cast<double>(0.5L * std::log(lost / abar)));
    }
    for (size_t t = 0; t + 1 < log_k.size(); ++t) between.push_back((log_k[t] + log_k[t + 1]) / 2);
    return between;
}

// False alarm 1e-9 for each of four comparisons; a mean that is off by 0.02 deviations would be seen.
TEST(TimestepSampling, LognormalHasItsDensity) {
    constexpr int64_t draws = 400'000;
    const double bound = ks_bound(static_cast<double>(draws), 1e-9);
    for (const char* name : {"linear", "cosine"})
        for (const auto& [mean, deviation] : {std::pair(-1.2, 1.2), std::pair(2.0, 4.0)}) {
            DiffusionOptions diffusion;
            diffusion.schedule = name;
            const NoiseSchedule schedule = make_schedule(diffusion);
            LossOptions options;
            options.timestep_sampling = "lognormal";
            options.lognormal_mean = mean;
            options.lognormal_deviation = deviation;
            const std::vector<double> edges = middles(schedule);
            const std::vector<int64_t> counted = counts(options, schedule, draws);
            const auto below = [&](double shift) {
                return distance(counted, draws, [&, shift](size_t i) {
                    return i == edges.size()
                               ? 1
                               : normal_cdf((edges[i] - options.lognormal_mean) / options.lognormal_deviation - shift);
                });
            };
            EXPECT_LT(below(0), bound) << name << " " << mean;
            EXPECT_GT(below(0.02), bound) << name << " " << mean << ": the test sees such a difference";
        }
}

// False alarm 1e-9. It is the very number that training has always drawn.
TEST(TimestepSampling, UniformIsEven) {
    constexpr int64_t draws = 400'000;
    const NoiseSchedule schedule = make_schedule(DiffusionOptions{});
    const LossOptions options;
    EXPECT_LT(distance(counts(options, schedule, draws), draws, [](size_t i) { return static_cast<double>(i + 1) / 1000; }),
              ks_bound(static_cast<double>(draws), 1e-9));
    for (uint64_t i = 0; i < 100; ++i) {
        RandomStream one(5, Purpose::timestep, i), other(5, Purpose::timestep, i);
        EXPECT_EQ(timestep_sampling("uniform").draw(options, schedule.levels(), one), static_cast<int64_t>(other.below(1000)));
    }
}

// What no t has, counts for the last: as far away as a double can say.
TEST(TimestepSampling, KeepsWithinTheSchedule) {
    const NoiseSchedule schedule = make_schedule(DiffusionOptions{});
    LossOptions options;
    options.timestep_sampling = "lognormal";
    for (const auto& [mean, expected] : {std::pair<double, int64_t>(-1e6, 0), std::pair<double, int64_t>(1e6, 999)}) {
        options.lognormal_mean = mean;
        RandomStream stream(1, Purpose::timestep);
        EXPECT_EQ(timestep_sampling("lognormal").draw(options, schedule.levels(), stream), expected);
    }
}

// At zero terminal SNR ln k of the last t is infinite, so that it would never be trained.
TEST(TimestepSampling, LognormalDoesNotGoWithZeroTerminalSnr) {
    DiffusionOptions zero;
    zero.zero_terminal_snr = true;
    zero.prediction_type = "v_prediction";
    LossOptions options;
    EXPECT_EQ(error_of([&] { check(options, zero); }), "no error");
    options.timestep_sampling = "lognormal";
    EXPECT_SAYS(error_of([&] { check(options, zero); }), "train.timestep_sampling: lognormal never draws the last t");
    options.lognormal_mean = 20;
    const NoiseSchedule schedule = make_schedule(zero);
    EXPECT_EQ(counts(options, schedule, 10'000).back(), 0) << "true: it is refused for a reason";
}

}  // namespace
}  // namespace ddpm
