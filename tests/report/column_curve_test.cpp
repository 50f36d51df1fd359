#include "ddpm/report/column_curve.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace ddpm {
namespace {

TEST(ColumnCurve, IsTheValuesThemselvesWhileTheyAreFew) {
    ColumnCurve curve(10);
    for (int64_t step = 1; step <= 20; ++step) curve.add(step, static_cast<double>(step) / 2);
    ASSERT_EQ(curve.columns().size(), 20u);
    EXPECT_EQ(curve.width(), 1);
    for (int64_t step = 1; step <= 20; ++step) {
        const ColumnCurve::Column& column = curve.columns()[static_cast<size_t>(step - 1)];
        EXPECT_EQ(column.step(), static_cast<double>(step));
        EXPECT_EQ(column.mean(), static_cast<double>(step) / 2);
        EXPECT_EQ(column.count, 1);
    }
}

// A single outlier among a hundred thousand values is seen, and nothing is counted twice.
TEST(ColumnCurve, KeepsExtremesAndSums) {
    ColumnCurve curve(50);
    double sum = 0;
    for (int64_t step = 1; step <= 100000; ++step) {
        const double value = step == 31415 ? 99 : step == 27182 ? -7 : std::sin(static_cast<double>(step));
        sum += value;
        curve.add(step, value);
    }
    EXPECT_LE(curve.columns().size(), 100u);
    EXPECT_GT(curve.columns().size(), 50u);
    double total = 0;
    int64_t count = 0, before = 0;
    for (const ColumnCurve::Column& column : curve.columns()) {
        EXPECT_EQ(column.first, before + 1);
        before = column.last;
        total += column.sum;
        count += column.count;
        const bool high = column.first <= 31415 && 31415 <= column.last, low = column.first <= 27182 && 27182 <= column.last;
        EXPECT_EQ(column.greatest == 99, high);
        EXPECT_EQ(column.least == -7, low);
        EXPECT_EQ(column.first / curve.width(), column.last / curve.width());
    }
    EXPECT_EQ(before, 100000);
    EXPECT_EQ(count, 100000);
    EXPECT_NEAR(total, sum, 1e-8);
}

TEST(ColumnCurve, LeavesOutWhatIsNotFinite) {
    ColumnCurve curve;
    curve.add(1, std::nan(""));
    curve.add(2, std::numeric_limits<double>::infinity());
    EXPECT_TRUE(curve.empty());
    EXPECT_TRUE(curve.smoothed().empty());
    curve.add(3, 5);
    EXPECT_EQ(curve.smoothed(), std::vector<double>{5});
}

// Far apart steps, as those of held-out measurements, stay single columns.
TEST(ColumnCurve, TakesStepsThatAreFarApart) {
    ColumnCurve curve(10);
    for (int64_t step = 1000; step <= 15000; step += 1000) curve.add(step, 1);
    EXPECT_EQ(curve.columns().size(), 15u);
    EXPECT_EQ(curve.columns().back().step(), 15000);
}

TEST(ColumnCurve, SmoothsByTheMeanAround) {
    ColumnCurve curve;
    for (int64_t step = 0; step < 9; ++step) curve.add(step, step == 4 ? 5 : 0);
    EXPECT_EQ(curve.smoothed(), (std::vector<double>{0, 0, 1, 1, 1, 1, 1, 0, 0}));
}

}  // namespace
}  // namespace ddpm
