#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/eval/features.h"
#include "ddpm/eval/quality.h"
#include "ddpm/eval/reference.h"
#include "ddpm/eval/source.h"

namespace ddpm {

// The real pictures beside which samples are judged, as raw features.
struct RealFeatures {
    at::Tensor reference;  // [N, D_raw] float32; undefined where there is `stored`
    at::Tensor floor;      // [n, D_raw]; undefined without enough pictures
    std::string no_floor;  // why there is none
    std::string sha256;    // of the bytes of the reference's pictures, in order
    std::string source;    // "100 pictures of shapes"
    // Without `floor`, so many pictures of the reference are measured against its others; 0 if there are too few.
    int64_t inner_floor = 0;
    std::shared_ptr<const ReferenceStatistics> stored;  // the reference, if it comes from a file

    int64_t count() const;        // pictures of the reference; 0 where its file does not say
    int64_t floor_count() const;  // pictures that the floor is of; 0 without one
    // Says on one line what the floor is if it is not of pictures apart, and why. Empty if it is.
    std::string floor_words() const;
};

// Called after each batch with the number of pictures that are done. What it throws ends the work.
using AfterBatch = std::function<void(int64_t done)>;

// Raw features [count, D_raw] of pictures that `read` returns, [n, C, H, W] as Features::raw takes them, in batches.
at::Tensor raw_features(const Features& features, int64_t count, int64_t batch,
                        const std::function<at::Tensor(int64_t first, int64_t n)>& read, const AfterBatch& after_batch);

// Takes raw features of real pictures. If they are twice `samples` or more, as many as there are samples, spread evenly, are kept
// apart for the floor. Else it is of pictures of the reference: `samples`, at most half of them, at least 24.
RealFeatures measure_real(const Features& features, const ImageSource& pictures, int64_t samples, int64_t batch,
                          const AfterBatch& after_batch);

// Does the same beside statistics from a file, which fit the features (check_comparable). The floor is of those of `pictures` that
// the statistics do not hold, or of any if they do not say which they hold; `pictures` may have none.
RealFeatures measure_beside(const Features& features, std::shared_ptr<const ReferenceStatistics> stored,
                            const ImageSource& pictures, int64_t samples, int64_t batch, const AfterBatch& after_batch);

// Throws a user error that begins with the file if the statistics lack the features that one of the metrics needs.
void check_metrics(const ReferenceStatistics& stored, const std::vector<QualityMetric>& metrics);

// Judges sets of samples beside the same real pictures. What features fit to the reference is fitted once, and a floor is measured once.
// One thread at a time may call.
class Judge {
public:
    // The errors are those of Features::fit.
    Judge(std::unique_ptr<Features> features, RealFeatures real);

    const Features& features() const { return *features_; }
    const RealFeatures& real() const { return real_; }
    // What its user should know about the reference, on one line: that it is too small. Empty for nothing.
    std::string warning() const;

    // Measures samples, as raw features [N, D_raw] with N ≥ kFewestSamples, by each metric in order. `stop` is called between them
    // and may throw. The errors are those of check_metrics.
    std::vector<QualityNumber> measure(const at::Tensor& raw, const std::vector<QualityMetric>& metrics,
                                       const std::function<void()>& stop = {}) const;

private:
    std::vector<QualityNumber> measured(const QualityMetric& metric, const at::Tensor& samples) const;
    std::vector<QualityNumber> floor_of(const QualityMetric& metric) const;  // empty without a floor

    const std::unique_ptr<Features> features_;
    const RealFeatures real_;
    const FeatureTransform transform_;
    const at::Tensor reference_, floor_;  // transformed; the reference is undefined if its file has no features
    GaussianFactor moments_;              // of the reference then
    mutable std::map<std::string, std::vector<QualityNumber>> floors_;  // by metric, of those that were measured
};

}  // namespace ddpm
