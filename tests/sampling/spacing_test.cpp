#include "ddpm/sampling/spacing.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "ddpm/core/error.h"
#include "sampling/toys.h"

namespace ddpm {
namespace {

using Times = std::vector<int64_t>;

// Lists of diffusers 0.42.1 (DDPMScheduler.set_timesteps), reversed.
TEST(Spacing, MatchesDiffusers) {
    EXPECT_EQ(spaced_timesteps("leading", 1000, 7, 0), (Times{0, 142, 284, 426, 568, 710, 852}));
    EXPECT_EQ(spaced_timesteps("leading", 1000, 7, 1), (Times{1, 143, 285, 427, 569, 711, 853}));
    EXPECT_EQ(spaced_timesteps("trailing", 1000, 7, 0), (Times{142, 285, 428, 570, 713, 856, 999}));
    EXPECT_EQ(spaced_timesteps("trailing", 10, 4, 0), (Times{1, 4, 7, 9}));
    EXPECT_EQ(spaced_timesteps("linspace", 1000, 7, 0), (Times{0, 166, 333, 500, 666, 832, 999}));
    EXPECT_EQ(spaced_timesteps("linspace", 20, 8, 0), (Times{0, 3, 5, 8, 11, 14, 16, 19}));
    EXPECT_EQ(spaced_timesteps("linspace", 1000, 1, 0), (Times{0}));
}

// A tie that 1000 − i·1000/48 would break the other way.
TEST(Spacing, TrailingBreaksTiesLikeNumpy) {
    EXPECT_EQ(spaced_timesteps("trailing", 1000, 48, 0),
              (Times{20,  41,  61,  82,  103, 124, 145, 166, 186, 207, 228, 249, 270, 291, 311, 332,
                     353, 374, 395, 416, 436, 457, 478, 499, 520, 541, 561, 582, 603, 624, 645, 666,
                     686, 707, 728, 749, 770, 791, 811, 832, 853, 874, 895, 916, 936, 957, 978, 999}));
}

TEST(Spacing, TrailingLeavesOutTheStrayMinusOne) {
    for (const int64_t S : {61, 103, 121}) {
        const Times times = spaced_timesteps("trailing", 1000, S, 0);
        EXPECT_EQ(static_cast<int64_t>(times.size()), S);
        EXPECT_GT(times.front(), 0);
        EXPECT_EQ(times.back(), 999);
    }
    EXPECT_EQ(spaced_timesteps("trailing", 1000, 61, 0)[0], 15);
}

// h ← (1000003·h + t) mod (2³¹ − 1) over the lists of all S = 1 … T, ascending; from numpy 2.4's arange and linspace
// with round, as diffusers calls them, less values below 0.
TEST(Spacing, MatchesNumpyForEveryS) {
    struct Row {
        int64_t T;
        uint64_t leading, trailing, linspace;
    };
    const auto hash = [](const std::string& spacing, int64_t T) {
        uint64_t h = 0;
        for (int64_t S = 1; S <= T; ++S)
            for (const int64_t t : spaced_timesteps(spacing, T, S, 0)) h = (1000003 * h + static_cast<uint64_t>(t)) % 2147483647;
        return h;
    };
    for (const Row& row : {Row{10, 288541003, 53995117, 1977101104}, Row{97, 560558741, 1202953199, 752719370},
                           Row{1000, 844250775, 1403279434, 1740679708}}) {
        EXPECT_EQ(hash("leading", row.T), row.leading) << row.T;
        EXPECT_EQ(hash("trailing", row.T), row.trailing) << row.T;
        EXPECT_EQ(hash("linspace", row.T), row.linspace) << row.T;
    }
}

TEST(Spacing, AllStepsAreAllTimes) {
    Times all(100);
    for (int64_t t = 0; t < 100; ++t) all[t] = t;
    for (const std::string& spacing : timestep_spacing_names())
        if (!spaces_noise(spacing)) {
            EXPECT_EQ(spaced_timesteps(spacing, 100, 100, 0), all);
        }
}

TEST(Spacing, RefusesWhatDoesNotFit) {
    EXPECT_THROW(spaced_timesteps("leading", 100, 101, 0), Error);
    EXPECT_THROW(spaced_timesteps("leading", 100, 0, 0), Error);
    EXPECT_THROW(spaced_timesteps("leading", 100, 100, 1), Error);
    EXPECT_NO_THROW(spaced_timesteps("leading", 100, 10, 9));
    EXPECT_THROW(spaced_timesteps("leading", 100, 10, 10), Error);
    EXPECT_THROW(spaced_timesteps("trail", 100, 10, 0), Error);
    EXPECT_THROW(spaced_timesteps("karras", 100, 10, 0), Error);
    EXPECT_THROW(spaced_ratios("trailing", 10, 100, 0.01, 7), Error);
    EXPECT_THROW(spaces_noise("karas"), Error);
    for (const std::string& spacing : timestep_spacing_names()) {
        EXPECT_THROW(spaced_walk(schedule_of("linear", 100), spacing, 101), Error) << spacing;
        EXPECT_THROW(spaced_walk(schedule_of("linear", 100), spacing, 0), Error) << spacing;
    }
}

// The list of k-diffusion's get_sigmas_karras and of diffusers, in float64, and the t that diffusers interpolates before it
// rounds them.
TEST(Spacing, KarrasLevels) {
    const double k[] = {157.40728, 85.71052, 44.04740, 21.10541, 9.27461, 3.65257, 1.24633, .34969, .07393, .01};
    const double t[] = {999, 936.9219, 863.8290, 775.1332, 662.6369, 510.7035, 300.9848, 102.1614, 18.3080, 0};
    const Walk levels = spaced_walk(schedule_of("linear"), "karras", 10);
    ASSERT_EQ(levels.size(), 11u);
    for (size_t i = 0; i < 10; ++i) {
        EXPECT_NEAR(levels[i].ratio(), k[i], 5.1e-6) << i;
        EXPECT_NEAR(levels[i].t, t[i], 5.1e-5) << i;
        EXPECT_NEAR(levels[i].alpha * levels[i].alpha + levels[i].sigma * levels[i].sigma, 1, 1e-14);
    }
    EXPECT_TRUE(levels[10].clean());
}

// In even steps of ln k, and of k^(1/rho), from the schedule's first level to its last, to the bit.
TEST(Spacing, LevelsSpanTheSchedule) {
    for (const char* name : {"linear", "cosine"}) {
        const NoiseSchedule schedule = schedule_of(name);
        const NoiseLevel first = schedule.level(999), last = schedule.level(0);
        for (const int64_t S : {1, 2, 3, 25, 1000}) {
            const auto expect_even = [&](const Walk& levels, auto transform) {
                ASSERT_EQ(static_cast<int64_t>(levels.size()), S + 1);
                EXPECT_EQ(levels[0].t, 999);
                EXPECT_EQ(levels[0].sigma, first.sigma);
                if (S == 1) return;
                EXPECT_EQ(levels[static_cast<size_t>(S) - 1].t, 0);
                EXPECT_EQ(levels[static_cast<size_t>(S) - 1].sigma, last.sigma);
                const double begin = transform(first.ratio()),
                             step = (transform(last.ratio()) - begin) / static_cast<double>(S - 1);
                for (int64_t i = 0; i < S; ++i)
                    EXPECT_NEAR(transform(levels[static_cast<size_t>(i)].ratio()), begin + static_cast<double>(i) * step,
                                1e-9 * std::abs(begin))
                        << name << " " << S << " " << i;
            };
            expect_even(spaced_walk(schedule, "exponential", S), [](double k) { return std::log(k); });
            for (const double rho : {1.0, 3.0, 7.0})
                expect_even(spaced_walk(schedule, "karras", S, 0, rho), [rho](double k) { return std::pow(k, 1 / rho); });
        }
    }
}

// At zero terminal SNR the first level is pure noise; the others span the rest of the schedule.
TEST(Spacing, LevelsFromPureNoise) {
    const NoiseSchedule schedule = schedule_of("linear", 1000, true);
    for (const char* spacing : {"karras", "exponential"})
        for (const int64_t S : {1, 2, 10}) {
            const Walk levels = spaced_walk(schedule, spacing, S);
            ASSERT_EQ(static_cast<int64_t>(levels.size()), S + 1);
            EXPECT_EQ(levels[0].alpha, 0);
            EXPECT_EQ(levels[0].t, 999);
            if (S > 1) {
                EXPECT_EQ(levels[1].t, 998);
            }
            if (S > 2) {
                EXPECT_EQ(levels[static_cast<size_t>(S) - 1].t, 0);
            }
            for (size_t i = 0; i + 1 < levels.size(); ++i) EXPECT_GT(levels[i].t, levels[i + 1].t);
        }
}

// γ = min(s_churn/S, √2 − 1); nothing beyond the bounds, and nothing beyond the schedule's last level.
TEST(Spacing, ChurnRaisesLevels) {
    const NoiseSchedule schedule = schedule_of("linear");
    const Walk levels = spaced_walk(schedule, "karras", 10);
    const auto factors = [&](double s_churn, double s_tmin, double s_tmax) {
        std::vector<double> found;
        const std::vector<NoiseLevel> churned = churned_levels(levels, schedule, s_churn, s_tmin, s_tmax);
        EXPECT_EQ(churned.size(), 10u);
        for (size_t i = 0; i < churned.size(); ++i) {
            found.push_back(churned[i].ratio() / levels[i].ratio());
            EXPECT_EQ(churned[i].t > levels[i].t, found.back() > 1) << i;
        }
        return found;
    };
    const double infinity = std::numeric_limits<double>::infinity();
    const std::vector<double> little = factors(2, 0, infinity), much = factors(40, 0.05, 50), none = factors(0, 0, infinity);
    for (size_t i = 0; i < 10; ++i) {
        EXPECT_NEAR(little[i], i == 0 ? 1 : 1.2, 1e-12) << i;
        EXPECT_NEAR(much[i], i >= 2 && i <= 8 ? std::sqrt(2.0) : 1, 1e-12) << i;
        EXPECT_EQ(none[i], 1);
    }
    const NoiseSchedule zero = schedule_of("linear", 1000, true);
    const Walk from_nothing = spaced_walk(zero, "trailing", 10);
    const std::vector<NoiseLevel> churned = churned_levels(from_nothing, zero, 40, 0, infinity);
    EXPECT_EQ(churned[0].alpha, 0);
    EXPECT_NEAR(churned[1].ratio(), std::sqrt(2.0) * from_nothing[1].ratio(), 1e-9);
}

}  // namespace
}  // namespace ddpm
