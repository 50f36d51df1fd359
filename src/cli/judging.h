#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cli/judged_reference.h"
#include "ddpm/eval/features.h"
#include "ddpm/eval/judge.h"
#include "ddpm/eval/quality.h"

namespace ddpm::cli {

// What the verbs that judge samples have in common.

inline constexpr int64_t kJudgedSamples = 500, kRealPictures = 2000;  // --n of a model and --real where they are not given

inline constexpr const char* kTrust =
    "these numbers compare models, checkpoints and samplers on one data set; they are not comparable across data sets or with a "
    "published FID";

// Reads --metrics as read_quality_metrics does.
std::vector<QualityMetric> read_metrics_flag(const std::string& metrics);

// Reads the same where samples are ranked by the first one, which has to be a distance.
std::vector<QualityMetric> read_ranking_metrics(const std::string& metrics);

// Takes the features of real pictures, with a progress line, and logs what a user should know of the reference. `samples` is how many
// will be judged, `batch` how many pictures are read at a time. Stops as throw_if_stopped does.
std::unique_ptr<const Judge> read_judge(std::unique_ptr<Features> features, const RealPictures& pictures, int64_t samples,
                                        int64_t batch);

}  // namespace ddpm::cli
