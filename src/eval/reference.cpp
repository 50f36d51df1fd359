#include "ddpm/eval/reference.h"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/sha256.h"
#include "ddpm/core/text.h"
#include "ddpm/eval/judge.h"
#include "ddpm/eval/moments.h"

namespace ddpm {

namespace {

std::string_view bytes_of(const at::Tensor& pixels) {
    return {reinterpret_cast<const char*>(pixels.const_data_ptr<uint8_t>()), static_cast<size_t>(pixels.numel())};
}

// Names what differs, in the order in which a user would look for it.
struct Named {
    const char* key;
    const char* words;
};
constexpr Named kCompared[] = {{"features", "features"},     {"pictures", "pictures (channels, height, width)"},
                               {"resize", "resize"},         {"range", "range of numbers"},
                               {"definition", "definition"}, {"sha256", "weights (sha256)"}};

void check_same(const ReferenceStatistics& statistics, const Json& asked) {
    for (const Named& part : kCompared) {
        const Json kept = statistics.protocol.value(part.key, Json());
        if (kept != asked[part.key])
            user_error(fmt::format("{}: its {}: {}, but {} is asked for; two such numbers can't be compared", statistics.file,
                                   part.words, brief(kept), brief(asked[part.key])),
                       "`ddpm eval stats` makes statistics of other features and sizes");
    }
}

}  // namespace

int64_t picture_hash(const at::Tensor& pixels) {
    return static_cast<int64_t>(std::stoull(sha256_of(bytes_of(pixels)).substr(0, 16), nullptr, 16));
}

void check_columns(const FeatureProtocol& features) {
    if (features.dimension > kMostColumns)
        user_error(
            fmt::format("{} features have {} numbers for each picture, whose covariance would be too large; at most {} are taken",
                        features.features, with_commas(features.dimension), with_commas(kMostColumns)));
}

ReferenceStatistics measure_statistics(const Features& features, const ImageSource& pictures, int64_t batch,
                                       const std::function<void(int64_t done)>& after_batch) {
    const c10::InferenceMode no_gradients;
    const int64_t n = pictures.count, widest = features.protocol().dimension;
    if (n < 2) user_error(fmt::format("statistics of {}; a covariance needs at least 2", plural(n, "picture")));
    check_columns(features.protocol());
    ReferenceStatistics statistics;
    Sha256 hash;
    std::vector<int64_t> hashes;
    const auto read = [&](int64_t first, int64_t count) {
        const at::Tensor pixels = pictures.read(first, count).pixels;
        for (int64_t i = 0; i < count; ++i) {
            hash.add(bytes_of(pixels[i]));
            hashes.push_back(picture_hash(pixels[i]));
        }
        return pixels.permute({0, 3, 1, 2});
    };
    Moments moments;
    if (features.is_fitted()) {
        const at::Tensor raw = raw_features(features, n, batch, read, after_batch);
        statistics.transform = features.fit(raw);
        statistics.features = features.transformed(raw, statistics.transform);
        moments.add(statistics.features);
    } else {
        if (n * widest <= kMostKeptNumbers) statistics.features = at::empty({n, widest}, at::kFloat);
        for (int64_t first = 0; first < n; first += batch) {
            const int64_t count = std::min(batch, n - first);
            const at::Tensor x = features.transformed(features.raw(read(first, count)), {});
            moments.add(x);
            if (statistics.features.defined()) statistics.features.slice(0, first, first + count).copy_(x);
            after_batch(first + count);
        }
    }
    if (statistics.features.defined() && statistics.features.numel() > kMostKeptNumbers) statistics.features = at::Tensor();
    statistics.n = n;
    statistics.fit = moments.fit();
    statistics.hashes = std::get<0>(at::tensor(hashes, at::kLong).sort());
    statistics.protocol = features.protocol().json();
    statistics.source = pictures.description;
    statistics.sha256 = hash.finish();
    return statistics;
}

void check_comparable(const ReferenceStatistics& statistics, const FeatureProtocol& asked) {
    const int64_t width = statistics.fit.mean.size(0);
    if (statistics.protocol.is_null() && asked.features.rfind("inception", 0) != 0)
        user_error(fmt::format("{}: says no protocol, as files of pytorch-fid, clean-fid and EDM do; those are of Inception's "
                               "features, but {} features are asked for",
                               statistics.file, asked.features),
                   "`ddpm eval stats` makes statistics of other features");
    if (!statistics.protocol.is_null()) check_same(statistics, asked.json());
    const bool may_be_fewer = !statistics.transform.empty();  // of a reference of few pictures
    if (width > asked.dimension || (width < asked.dimension && !may_be_fewer))
        user_error(fmt::format("{}: statistics of {} numbers a picture, but {} features have {}; they are of other features",
                               statistics.file, width, asked.features, asked.dimension));
}

}  // namespace ddpm
