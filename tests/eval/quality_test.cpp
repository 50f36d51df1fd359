#include "ddpm/eval/quality.h"

#include <gtest/gtest.h>

#include "eval/check_values.h"
#include "support/errors.h"

namespace ddpm {
namespace {

std::vector<QualityNumber> measure(const std::string& metric, const at::Tensor& floor = {}) {
    return quality_metric(metric, "--metrics").measure(check_A(), check_B(), floor);
}

// The numbers are those of the reference's check values, each held in the test of its own; here they come through the table.
TEST(Quality, TheTableMeasuresWhatItsRowsSay) {
    EXPECT_NEAR(measure("fd")[0].value, 0.15129880683, 1e-9);
    EXPECT_NEAR(measure("kid")[0].value, 0.148585524789, 1e-9);
    EXPECT_NEAR(measure("mmd")[0].value, 0.019194643304, 1e-9);
    const std::vector<QualityNumber> pr = measure("pr"), dc = measure("dc");
    EXPECT_NEAR(pr[0].value, 0.8, 1e-12);
    EXPECT_NEAR(pr[1].value, 0.87, 1e-12);
    EXPECT_NEAR(dc[0].value, 0.806, 1e-12);
    EXPECT_NEAR(dc[1].value, 0.875, 1e-12);
    for (const QualityMetric& metric : quality_metrics())
        for (const QualityNumber& number : measure(metric.name)) {
            EXPECT_GT(number.sd, 0) << number.name;
            EXPECT_FALSE(number.floor) << number.name;
        }
}

// A floor of the samples themselves is the number itself.
TEST(Quality, TheFloorIsMeasuredLikeTheSamples) {
    for (const QualityMetric& metric : quality_metrics())
        for (const QualityNumber& number : measure(metric.name, check_B())) {
            ASSERT_TRUE(number.floor) << number.name;
            EXPECT_NEAR(*number.floor, number.value, 1e-9) << number.name;
            EXPECT_NEAR(number.floor_sd, number.sd, 1e-9) << number.name;
        }
}

TEST(Quality, AnUnknownMetricIsRefusedByName) {
    EXPECT_SAYS(error_of([] { quality_metric("fid", "--metrics"); }), "--metrics: unknown metric \"fid\"");
}

TEST(Quality, TheVerdictCountsDeviationsFromTheFloor) {
    EXPECT_SAYS(verdict_of({"mmd", 0.5, 0.03, 0.2, 0.04}),
                "mmd 0.5, of real pictures 0.2: the samples differ from real pictures, by 6 deviations");
    EXPECT_SAYS(verdict_of({"mmd", 0.3, 0.03, 0.2, 0.04}), "not told apart");
    EXPECT_SAYS(verdict_of({"recall", 0.2, 0.1, 0.7, 0}),
                "recall 0.2, of real pictures 0.7: the samples differ from real pictures, by 5 deviations");
    EXPECT_SAYS(verdict_of({"mmd", 0.3, 0.1, {}, 0}), "no floor");
}

}  // namespace
}  // namespace ddpm
