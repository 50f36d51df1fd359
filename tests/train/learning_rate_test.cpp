#include "ddpm/train/learning_rate.h"

#include <cmath>

#include <gtest/gtest.h>

#include "ddpm/train/ema.h"
#include "ddpm/train/options.h"

namespace ddpm {
namespace {

TrainOptions options(const std::string& schedule) {
    TrainOptions options;
    options.steps = 110;
    options.warmup_steps = 10;
    options.learning_rate = 2.0;
    options.lr_schedule = schedule;
    return options;
}

TEST(LearningRate, WarmsUpLinearly) {
    for (const std::string& schedule : learning_rate_schedules()) {
        EXPECT_DOUBLE_EQ(learning_rate_at(0, options(schedule)), 0.2);
        EXPECT_DOUBLE_EQ(learning_rate_at(9, options(schedule)), 2.0);
        EXPECT_DOUBLE_EQ(learning_rate_at(10, options(schedule)), 2.0);
    }
}

TEST(LearningRate, DecaysAsNamed) {
    EXPECT_DOUBLE_EQ(learning_rate_at(109, options("constant")), 2.0);
    EXPECT_DOUBLE_EQ(learning_rate_at(60, options("linear")), 1.0);
    EXPECT_DOUBLE_EQ(learning_rate_at(60, options("cosine")), 1.0);
    EXPECT_NEAR(learning_rate_at(35, options("cosine")), 1.0 + std::sqrt(0.5), 1e-12);
    EXPECT_DOUBLE_EQ(learning_rate_at(110, options("linear")), 0.0);
    EXPECT_NEAR(learning_rate_at(110, options("cosine")), 0.0, 1e-15);
}

// Σ of the weights that the closed recurrence gives: after n updates of a constant 1 from 0 the average is 1 − Π d.
TEST(Ema, DecayWarmsUpAndFirstCopies) {
    EXPECT_EQ(ema_decay_at(0, 0.9999, true), 0.0);
    EXPECT_DOUBLE_EQ(ema_decay_at(1, 0.9999, true), 2.0 / 11.0);
    EXPECT_DOUBLE_EQ(ema_decay_at(90, 0.9999, true), 0.91);
    EXPECT_DOUBLE_EQ(ema_decay_at(1000000, 0.9999, true), 0.9999);
    EXPECT_DOUBLE_EQ(ema_decay_at(0, 0.9999, false), 0.9999);
}

TEST(TrainOptions, RefusesAScheduleThatNeverBegins) {
    TrainOptions bad = options("cosine");
    bad.warmup_steps = 111;
    EXPECT_THROW(check(bad), Error);
    bad.lr_schedule = "constant";
    EXPECT_NO_THROW(check(bad));
}

}  // namespace
}  // namespace ddpm
