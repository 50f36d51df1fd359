#pragma once

#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/eval/frechet.h"

namespace ddpm {

// A number about the quality of samples, in features (features.h).
struct QualityNumber {
    std::string name;             // "mmd"
    double value = 0;             // of the samples
    double sd = 0;                // jackknife over the samples (jackknife.h)
    std::optional<double> floor;  // of as many real pictures that the reference does not hold; nothing without such pictures
    double floor_sd = 0;          // jackknife over those pictures
    // Of the samples without each group (Jackknifed::without), so that {value, without} can be subtracted from that of others.
    std::vector<double> without = {};
};

// A row of the table of metrics. One may give several numbers.
struct QualityMetric {
    std::string name;
    std::string summary;
    // Measures samples and, if it is defined, the floor against a reference. All are [N, D] floating and finite.
    std::vector<QualityNumber> (*measure)(const at::Tensor& reference, const at::Tensor& samples, const at::Tensor& floor);
    bool is_distance;  // its one number falls, to about that of the floor, the better the samples are
    // The same against the reference's mean and covariance alone; nullptr for a metric that needs its features.
    std::vector<QualityNumber> (*measure_by_moments)(const GaussianFactor& reference, const at::Tensor& samples,
                                                     const at::Tensor& floor) = nullptr;
};

const std::vector<QualityMetric>& quality_metrics();

// The metrics that are measured where none are named. The first one decides, the others are shown.
inline constexpr const char* kDefaultMetrics = "mmd,fd";

// Returns the row of that name. Throws a user_error that begins with `flag` and lists the known ones if there is none.
const QualityMetric& quality_metric(const std::string& name, const std::string& flag);

// Returns the rows of names between commas. Throws a user_error if one is unknown or there twice.
std::vector<QualityMetric> read_quality_metrics(const std::string& names);

// The fewest samples that a jackknife takes.
inline constexpr int64_t kFewestSamples = 20;

// Says in one line what a number and its floor are, and whether they differ: "mmd 0.235, of real pictures 0.0003: the samples differ
// from real pictures, by 81 deviations".
std::string verdict_of(const QualityNumber& number);

}  // namespace ddpm
