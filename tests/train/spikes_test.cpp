#include "train/spikes.h"

#include <cmath>

#include <gtest/gtest.h>

#include "ddpm/core/error.h"
#include "ddpm/core/random.h"

namespace ddpm::train {
namespace {

double normal_tail(double z) { return 0.5 * std::erfc(z / std::sqrt(2.0)); }

// Tests the rates of alarms that spikes.h states, on 300,000 losses with normal logarithms and a fixed seed. Alarms depend on each
// other through the window that they share, so the standard deviation of their count is more than the root of the count: 1.2
// roots over 20 simulated seeds. Seven roots are more than five such deviations. With a random seed, a right detector would fail
// with a probability below 1e-5.
TEST(LossWindow, AlarmsOnPlainNoiseAsOftenAsStated) {
    constexpr int kSteps = 300'000, n = LossWindow::kWindow;
    RandomStream random(7, Purpose::preview);
    LossWindow window;
    const double thresholds[] = {2, 3, 4};
    int alarms[] = {0, 0, 0};
    for (int step = 0; step < kSteps; ++step) {
        const double score = window.add(0.05 * std::exp(0.3 * random.normal()));
        for (size_t i = 0; i < 3; ++i) alarms[i] += score > thresholds[i];
    }
    for (size_t i = 0; i < 3; ++i) {
        const double z = thresholds[i];
        const double expected = kSteps * normal_tail(z / std::sqrt(1 + (1.57 + 1.36 * z * z) / n));
        EXPECT_NEAR(alarms[i], expected, 7 * std::sqrt(expected)) << z;
        EXPECT_GT(expected, 10);
    }
}

TEST(LossWindow, ScoresASpikeAndNothingElse) {
    RandomStream random(8, Purpose::preview);
    LossWindow window;
    for (int step = 0; step < 1000; ++step) {
        const double usual = std::exp(-0.003 * step + 0.1 * random.normal());  // falling
        const double score = window.add(step == 600 ? 20 * usual : usual);
        if (step == 600) {
            EXPECT_GT(score, 8);
        } else {
            EXPECT_LT(score, 8) << step;
        }
    }
}

TEST(LossWindow, StaysSilentUntilItIsFull) {
    LossWindow window;
    for (size_t i = 0; i + 1 < LossWindow::kWindow; ++i) window.add(1 + 0.01 * static_cast<double>(i % 7));
    EXPECT_EQ(window.add(1e6), 0.0);
    EXPECT_GT(window.add(1e6), 100.0);
}

TEST(LossWindow, ComesBackFromJson) {
    RandomStream random(9, Purpose::preview);
    LossWindow window;
    for (int step = 0; step < 300; ++step) window.add(random.uniform());
    LossWindow again = LossWindow::read(parse_json(window.write().dump(), "test"), "test");
    for (int step = 0; step < 300; ++step) {
        const double loss = random.uniform();
        EXPECT_EQ(again.add(loss), window.add(loss));
    }
    EXPECT_THROW(LossWindow::read(Json(3), "test"), Error);
    EXPECT_THROW(LossWindow::read(Json::array({"a"}), "test"), Error);
}

}  // namespace
}  // namespace ddpm::train
