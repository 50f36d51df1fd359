#include "cli/judged_reference.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include <spdlog/spdlog.h>

#include "cli/flag_names.h"
#include "cli/signals.h"
#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/dataset/dataset.h"
#include "ddpm/eval/npz_pictures.h"
#include "ddpm/report/progress.h"
#include "ddpm/tensorfile/npz_file.h"

namespace ddpm::cli {

namespace {

constexpr const char* kInception = "inception";

// Pictures chosen by spread().
ImageSource parts_of(std::shared_ptr<const Dataset> dataset, int64_t count, uint64_t seed) {
    std::vector<int64_t> places = spread(dataset->size(), count);
    return dataset_source_at(std::move(dataset), std::move(places), seed);
}

// Returns pictures for a floor beside statistics; none if the data of the model's training is not there.
ImageSource floor_pictures(const EvalFlags& flags, const Model* model, const ReferenceStatistics& stored, DatasetOptions format,
                           int threads) {
    if (model == nullptr) {
        if (flags.data.empty()) return {};
        take_as_they_are(format);
        return parts_of(open_dataset(format, 0, threads), flags.n, 0);
    }
    if (!flags.data.empty()) return flags.open_unlabelled(*model, threads);
    if (!stored.hashes.defined()) return {};
    try {
        return flags.open_unlabelled(*model, threads);
    } catch (const Error& error) {
        spdlog::warn("no pictures for a floor: {}", error.what());
        return {};
    }
}

}  // namespace

PictureFormat GivenReference::format() const {
    if (!stored || !stored->protocol.is_object()) return {};
    const Json text = stored->protocol.value("pictures", Json());
    const std::vector<std::string> sides = split(text.is_string() ? text.get<std::string>() : "", 'x');
    const auto side = [&](size_t i) { return sides[i].size() < 6 ? std::atoll(sides[i].c_str()) : 0; };
    if (sides.size() != 3 || side(0) < 1 || side(0) > 4 || side(1) < 1 || side(2) < 1)
        user_error(fmt::format("--ref: {}: its protocol says pictures of {}, expected channels x height x width, \"3x32x32\"", file,
                               brief(text)));
    return {side(0), side(1), side(2)};
}

GivenReference open_reference(const std::string& file, const std::string& features) {
    if (file.empty()) return {};
    return naming_flag("--ref", [&]() -> GivenReference {
        const NpzFile arrays(file);
        const bool may_serve =
            arrays.find("protocol") != nullptr || (arrays.find("mu") != nullptr && features.rfind(kInception, 0) == 0);
        if (!may_serve && arrays.find("arr_0") != nullptr) return {file, nullptr};
        return {file, std::make_shared<const ReferenceStatistics>(read_statistics(file))};
    });
}

std::string RealPictures::description() const {
    if (!stored) return one_line(pictures.description);
    return stored->n > 0 && stored->hashes.defined()
               ? fmt::format("statistics of {} in {}", plural(stored->n, "picture"), one_line(stored->file))
               : "statistics in " + one_line(stored->file);
}

RealPictures open_real(const EvalFlags& flags, const GivenReference& reference, const Model* model, const DatasetOptions& format,
                       int64_t samples, int64_t most, int threads) {
    EvalFlags real = flags;
    real.n = most + samples;
    real.by_parts = true;
    if (reference.stored) {
        real.as_they_are = true;
        return {reference.stored, floor_pictures(real, model, *reference.stored, format, threads)};
    }
    if (!reference.file.empty()) {
        spdlog::info("--ref: the reference is the pictures in {}", one_line(reference.file));
        return {nullptr, naming_flag("--ref", [&] { return open_npz_pictures(reference.file, real.n); }).source};
    }
    if (model != nullptr) return {nullptr, real.open_unlabelled(*model, threads)};
    return {nullptr, parts_of(open_dataset(format, 0, threads), real.n, static_cast<uint64_t>(flags.seed))};
}

void check_reference(const RealPictures& real, const Features& features, const std::vector<QualityMetric>& metrics) {
    if (!real.stored) return;
    naming_flag("--ref", [&] {
        check_comparable(*real.stored, features.protocol());
        check_metrics(*real.stored, metrics);
    });
}

RealFeatures features_of_real(const Features& features, const RealPictures& real, int64_t samples, int64_t batch) {
    if (real.stored && real.stored->protocol.is_null())
        spdlog::warn(
            "--ref: {} says no protocol; its numbers are comparable only if it was made with the same weights and the same way "
            "to resize",
            one_line(real.stored->file));
    if (real.stored && !real.stored->hashes.defined() && real.pictures.count > 0)
        spdlog::warn("--ref: {} does not say which pictures it holds; those of --data make a floor only if they are others",
                     one_line(real.stored->file));
    Progress reading("reading real pictures", real.stored ? std::min(samples, real.pictures.count) : real.pictures.count,
                     "pictures");
    const auto after_batch = [&](int64_t done) {
        reading.update(done);
        throw_if_stopped();
    };
    RealFeatures taken = real.stored ? measure_beside(features, real.stored, real.pictures, samples, batch, after_batch)
                                     : measure_real(features, real.pictures, samples, batch, after_batch);
    reading.finish();
    if (const std::string words = taken.floor_words(); !words.empty()) spdlog::warn("{}", words);
    return taken;
}

}  // namespace ddpm::cli
