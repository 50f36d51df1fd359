#include "ddpm/sampling/spacing.h"

#include <gtest/gtest.h>

#include "ddpm/core/error.h"

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
    for (const std::string& spacing : timestep_spacing_names()) EXPECT_EQ(spaced_timesteps(spacing, 100, 100, 0), all);
}

TEST(Spacing, RefusesWhatDoesNotFit) {
    EXPECT_THROW(spaced_timesteps("leading", 100, 101, 0), Error);
    EXPECT_THROW(spaced_timesteps("leading", 100, 0, 0), Error);
    EXPECT_THROW(spaced_timesteps("leading", 100, 100, 1), Error);
    EXPECT_NO_THROW(spaced_timesteps("leading", 100, 10, 9));
    EXPECT_THROW(spaced_timesteps("leading", 100, 10, 10), Error);
    EXPECT_THROW(spaced_timesteps("trail", 100, 10, 0), Error);
}

}  // namespace
}  // namespace ddpm
