#include "ddpm/eval/judge.h"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/sha256.h"
#include "ddpm/core/text.h"
#include "ddpm/eval/jackknife.h"

namespace ddpm {

namespace {

constexpr int64_t kFewPictures = 4;  // for each number that is fitted to the reference

// The fewest pictures of an inner floor: fd_inf takes 20 after a tenth was left out.
constexpr int64_t kFewestInside = 24;

// Returns RealFeatures::inner_floor for a reference of so many pictures: as many as samples where the others are no fewer.
int64_t inner_floor_of(int64_t reference, int64_t samples) {
    const int64_t count = std::min(samples, reference / 2);
    return count >= kFewestInside ? count : 0;
}

// The pictures of `pictures` that the statistics do not hold, or all if it is not known which these are.
std::vector<int64_t> outside(const ReferenceStatistics& stored, const ImageSource& pictures, int64_t batch) {
    std::vector<int64_t> rows;
    for (int64_t first = 0; first < pictures.count; first += batch) {
        const int64_t n = std::min(batch, pictures.count - first);
        if (!stored.hashes.defined()) {
            for (int64_t i = 0; i < n; ++i) rows.push_back(first + i);
            continue;
        }
        const int64_t* held = stored.hashes.const_data_ptr<int64_t>();
        const at::Tensor pixels = pictures.read(first, n).pixels;
        for (int64_t i = 0; i < n; ++i)
            if (!std::binary_search(held, held + stored.hashes.numel(), picture_hash(pixels[i]))) rows.push_back(first + i);
    }
    return rows;
}

at::Tensor reference_of(const Features& features, const RealFeatures& real, const FeatureTransform& transform) {
    return real.stored ? real.stored->features : features.transformed(real.reference, transform);
}

at::Tensor transformed_if_defined(const Features& features, const at::Tensor& raw, const FeatureTransform& transform) {
    return raw.defined() ? features.transformed(raw, transform) : raw;
}

}  // namespace

at::Tensor raw_features(const Features& features, int64_t count, int64_t batch,
                        const std::function<at::Tensor(int64_t first, int64_t n)>& read, const AfterBatch& after_batch) {
    std::vector<at::Tensor> parts;
    for (int64_t first = 0; first < count; first += batch) {
        const int64_t n = std::min(batch, count - first);
        parts.push_back(features.raw(read(first, n)));
        after_batch(first + n);
    }
    return at::cat(parts);
}

RealFeatures measure_real(const Features& features, const ImageSource& pictures, int64_t samples, int64_t batch,
                          const AfterBatch& after_batch) {
    const bool has_floor = pictures.count >= 2 * samples;
    std::vector<bool> apart(static_cast<size_t>(pictures.count));
    if (has_floor)
        for (const int64_t i : spread(pictures.count, samples)) apart[static_cast<size_t>(i)] = true;
    Sha256 hash;
    const auto read = [&](int64_t first, int64_t n) {
        const at::Tensor pixels = pictures.read(first, n).pixels;
        for (int64_t i = 0; i < n; ++i)
            if (!apart[static_cast<size_t>(first + i)])
                hash.add(
                    {reinterpret_cast<const char*>(pixels[i].const_data_ptr<uint8_t>()), static_cast<size_t>(pixels[i].numel())});
        return pixels.permute({0, 3, 1, 2});
    };
    const at::Tensor raw = raw_features(features, pictures.count, batch, read, after_batch);
    std::vector<int64_t> of_reference, of_floor;
    for (int64_t i = 0; i < pictures.count; ++i) (apart[static_cast<size_t>(i)] ? of_floor : of_reference).push_back(i);
    RealFeatures real;
    real.reference = raw.index_select(0, at::tensor(of_reference, at::kLong));
    if (has_floor)
        real.floor = raw.index_select(0, at::tensor(of_floor, at::kLong));
    else {
        real.no_floor = fmt::format("there are {}, fewer than twice the samples", plural(pictures.count, "real picture"));
        real.inner_floor = inner_floor_of(pictures.count, samples);
    }
    real.sha256 = hash.finish();
    real.source = pictures.description;
    return real;
}

RealFeatures measure_beside(const Features& features, std::shared_ptr<const ReferenceStatistics> stored,
                            const ImageSource& pictures, int64_t samples, int64_t batch, const AfterBatch& after_batch) {
    RealFeatures real;
    real.sha256 = stored->sha256;
    real.source = stored->source;
    const std::vector<int64_t> apart = outside(*stored, pictures, batch);
    const auto found = static_cast<int64_t>(apart.size());
    if (found >= samples) {
        const std::vector<int64_t> taken = spread(found, samples);
        const auto read = [&](int64_t first, int64_t n) {
            std::vector<at::Tensor> each;
            for (int64_t i = first; i < first + n; ++i)
                each.push_back(pictures.read(apart[static_cast<size_t>(taken[static_cast<size_t>(i)])], 1).pixels);
            return at::cat(each).permute({0, 3, 1, 2});
        };
        real.floor = raw_features(features, samples, batch, read, after_batch);
    } else {
        real.no_floor = pictures.count == 0 ? "there are no other real pictures (--data)"
                                            : fmt::format("{} of {} are not in the reference, fewer than the samples", found,
                                                          plural(pictures.count, "real picture"));
        if (stored->features.defined()) real.inner_floor = inner_floor_of(stored->n, samples);
    }
    real.stored = std::move(stored);
    return real;
}

int64_t RealFeatures::count() const { return stored ? stored->n : reference.size(0); }

int64_t RealFeatures::floor_count() const { return floor.defined() ? floor.size(0) : inner_floor; }

std::string RealFeatures::floor_words() const {
    if (floor.defined()) return {};
    if (inner_floor == 0) return "no floor: " + no_floor;
    return fmt::format(
        "the floor is of {} of the reference beside its other {}: {}; a number that falls with the number of pictures, "
        "as fd does, is comparable only where there are as many samples",
        plural(inner_floor, "picture"), count() - inner_floor, no_floor);
}

Judge::Judge(std::unique_ptr<Features> features, RealFeatures real)
    : features_(std::move(features)),
      real_(std::move(real)),
      transform_(real_.stored ? real_.stored->transform : features_->fit(real_.reference)),
      reference_(reference_of(*features_, real_, transform_)),
      floor_(transformed_if_defined(*features_, real_.floor, transform_)) {
    if (!reference_.defined()) moments_ = factor_of(real_.stored->fit);
}

std::string Judge::warning() const {
    const int64_t dimension = features_->protocol().dimension;
    if (transform_.empty() || real_.count() >= kFewPictures * dimension) return {};
    return fmt::format(
        "the {} of the reference are few for what {} fits to them: other pictures, real ones too, lie far from it; {} or more are "
        "enough",
        plural(real_.count(), "picture"), features_->protocol().features, kFewPictures * dimension);
}

void check_metrics(const ReferenceStatistics& stored, const std::vector<QualityMetric>& metrics) {
    for (const QualityMetric& metric : metrics)
        if (!stored.features.defined() && metric.measure_by_moments == nullptr)
            user_error(
                fmt::format("{}: holds mean and covariance without the features of the pictures, which {} needs; --metrics fd "
                            "does without",
                            stored.file, metric.name));
}

std::vector<QualityNumber> Judge::floor_of(const QualityMetric& metric) const {
    if (!reference_.defined())
        return floor_.defined() ? metric.measure_by_moments(moments_, floor_, {}) : std::vector<QualityNumber>{};
    if (floor_.defined()) return metric.measure(reference_, floor_, {});
    if (real_.inner_floor == 0) return {};
    const at::Tensor mixed = reference_.index_select(0, mixed_rows(reference_.size(0)));
    return metric.measure(mixed.slice(0, real_.inner_floor), mixed.slice(0, 0, real_.inner_floor), {});
}

std::vector<QualityNumber> Judge::measured(const QualityMetric& metric, const at::Tensor& samples) const {
    std::vector<QualityNumber> numbers =
        reference_.defined() ? metric.measure(reference_, samples, {}) : metric.measure_by_moments(moments_, samples, {});
    const auto [floor, fresh] = floors_.try_emplace(metric.name);
    if (fresh) floor->second = floor_of(metric);
    for (size_t i = 0; i < floor->second.size(); ++i) {
        numbers.at(i).floor = floor->second[i].value;
        numbers.at(i).floor_sd = floor->second[i].sd;
    }
    return numbers;
}

std::vector<QualityNumber> Judge::measure(const at::Tensor& raw, const std::vector<QualityMetric>& metrics,
                                          const std::function<void()>& stop) const {
    if (real_.stored) check_metrics(*real_.stored, metrics);
    const at::Tensor samples = features_->transformed(raw, transform_);
    std::vector<QualityNumber> numbers;
    for (const QualityMetric& metric : metrics) {
        if (stop) stop();
        for (QualityNumber& number : measured(metric, samples)) numbers.push_back(std::move(number));
    }
    return numbers;
}

}  // namespace ddpm
