#include "train/stop_rule.h"

#include <cmath>

#include <gtest/gtest.h>

namespace ddpm::train {
namespace {

// Returns the number of measurements after which the rule finds the end, 0 if it does not.
size_t end_of_losses(const std::vector<double>& losses) {
    StopRule rule;
    for (size_t i = 0; i < losses.size(); ++i) {
        rule.add_held_out(static_cast<int64_t>(i + 1) * 100, losses[i]);
        if (rule.finding()) return rule.finding()->cause == "held_out_loss" ? i + 1 : 1000;
    }
    return 0;
}

size_t end_of_qualities(const std::vector<double>& values, double sd = 0.01) {
    StopRule rule;
    for (size_t i = 0; i < values.size(); ++i) {
        rule.add_quality(static_cast<int64_t>(i + 1) * 100, {"mmd", values[i], sd, {}}, "scatter");
        if (rule.finding()) return rule.finding()->cause == "quality" ? i + 1 : 1000;
    }
    return 0;
}

TEST(StopRule, FindsALossThatRises) {
    EXPECT_EQ(end_of_losses({0.5, 0.4, 0.3, 0.31, 0.32, 0.33, 0.4}), 6u) << "three measurements without a new best";
    EXPECT_EQ(end_of_losses({0.5, 0.4, 0.3, 0.29, 0.28, 0.27, 0.26}), 0u);
    EXPECT_EQ(end_of_losses({0.3, 0.3005, 0.301, 0.302, 0.3029}), 0u) << "less than 1 % above";
    EXPECT_EQ(end_of_losses({0.3, 0.3005, 0.301, 0.302, 0.3031}), 5u);
    EXPECT_EQ(end_of_losses({0.3, 0.4, 0.4, 0.29, 0.4, 0.4, 0.28, 0.4}), 0u) << "a new best begins anew";
    EXPECT_EQ(end_of_losses({0.3, 0.4, 0.4, 0.3}), 0u) << "the last one is as low";
    EXPECT_EQ(end_of_losses({0.3, NAN, NAN, NAN, 0.4, INFINITY, 0.4, 0.4}), 8u) << "what is not finite is no measurement";
    EXPECT_EQ(end_of_losses({}), 0u);
}

// The deviation of a difference of two numbers with sd 0.01 is 0.0141; two of them are 0.0283.
TEST(StopRule, FindsAQualityThatIsFlat) {
    EXPECT_EQ(end_of_qualities({0.5, 0.2, 0.1, 0.1, 0.1}), 5u);
    EXPECT_EQ(end_of_qualities({0.5, 0.2, 0.1, 0.128, 0.12}), 5u);
    EXPECT_EQ(end_of_qualities({0.5, 0.2, 0.1, 0.129, 0.12}), 0u) << "two are told apart";
    EXPECT_EQ(end_of_qualities({0.5, 0.12, 0.11, 0.10, 0.09, 0.08}), 0u) << "a fall within the deviations is a fall";
    EXPECT_EQ(end_of_qualities({0.5, 0.12, 0.11, 0.10, 0.10}), 5u);
    EXPECT_EQ(end_of_qualities({0.5, 0.5, 0.5, 0.5, 0.5, 0.5}), 0u) << "nothing is learnt yet";
    EXPECT_EQ(end_of_qualities({0.5, 0.49, 0.48, 0.3, 0.1, 0.1}), 0u) << "only two so far";
    EXPECT_EQ(end_of_qualities({0.5, 0.2, 0.1, NAN, 0.1, 0.1}), 6u);
    EXPECT_EQ(end_of_qualities({0.5, 0.2, 0.1}, 10), 0u);
}

TEST(StopRule, DoesNotCompareNumbersOfTwoProtocols) {
    StopRule rule;
    for (const double value : {0.5, 0.2, 0.1, 0.1}) rule.add_quality(1, {"mmd", value, 0.01, {}}, "500 samples");
    rule.add_quality(5, {"mmd", 0.1, 0.01, {}}, "1000 samples");
    for (int i = 0; i < 5; ++i) rule.add_quality(6, {"mmd", 0.1, 0.01, {}}, "1000 samples");
    EXPECT_FALSE(rule.finding()) << "nothing has fallen by this protocol";
    rule.add_quality(7, {"kid", 0.5, 0.01, {}}, "1000 samples");
    for (int i = 0; i < 3; ++i) rule.add_quality(8 + i, {"kid", 0.1, 0.01, {}}, "1000 samples");
    ASSERT_TRUE(rule.finding());
    EXPECT_EQ(rule.finding()->words.rfind("kid has not fallen since step 8", 0), 0u) << rule.finding()->words;
}

TEST(StopRule, FindsCopies) {
    StopRule rule;
    rule.add_copies(100, {7, 500, 0.01, 0.2});
    rule.add_copies(200, {15, 500, 0.01, 1e-4});
    EXPECT_FALSE(rule.finding());
    rule.add_copies(300, {40, 500, 0.01, 1e-9});
    ASSERT_TRUE(rule.finding());
    EXPECT_EQ(rule.finding()->cause, "copies");
    EXPECT_NE(rule.finding()->words.find("40 of 500 samples of step 300"), std::string::npos) << rule.finding()->words;
}

TEST(StopRule, KeepsWhatItFoundFirst) {
    StopRule rule;
    for (int64_t step = 1; step <= 4; ++step) rule.add_held_out(step, step == 1 ? 0.1 : 0.2);
    rule.add_copies(5, {40, 500, 0.01, 1e-9});
    for (int64_t step = 6; step < 9; ++step) rule.add_held_out(step, 0.01);
    EXPECT_EQ(rule.finding()->cause, "held_out_loss");
    EXPECT_NE(rule.finding()->words.find("since step 1, from 0.1000 to 0.2000"), std::string::npos) << rule.finding()->words;
}

}  // namespace
}  // namespace ddpm::train
