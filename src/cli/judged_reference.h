#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cli/eval_flags.h"
#include "ddpm/dataset/options.h"
#include "ddpm/eval/features.h"
#include "ddpm/eval/judge.h"
#include "ddpm/eval/quality.h"
#include "ddpm/eval/reference.h"
#include "ddpm/eval/source.h"
#include "ddpm/pipeline/model.h"

namespace ddpm::cli {

// What --ref names: statistics, or pictures of which they are taken.
struct GivenReference {
    std::string file;                                   // empty without --ref
    std::shared_ptr<const ReferenceStatistics> stored;  // nullptr where its pictures are taken

    // The format that its statistics say; nothing in it where they say none.
    PictureFormat format() const;
};

// Opens --ref FILE for features of that name. A file of guided-diffusion, whose statistics are of Inception, gives its pictures for
// other features. The errors are those of read_statistics and begin with --ref.
GivenReference open_reference(const std::string& file, const std::string& features);

// The real pictures beside which samples are judged.
struct RealPictures {
    std::shared_ptr<const ReferenceStatistics> stored;  // the reference, if it comes from a file
    ImageSource pictures;                               // else the reference, and those for a floor; may have none beside `stored`

    std::string description() const;
};

// Opens them for `samples` samples of the model, or without one (nullptr) of pictures that are read as `format` says: of --ref, of
// --data, or of the model's own training. At most `most` pictures beside those of the floor are taken. Beside statistics the pictures
// are taken as they are (EvalFlags::as_they_are), and only those of --data if it is not known which pictures the statistics hold.
RealPictures open_real(const EvalFlags& flags, const GivenReference& reference, const Model* model, const DatasetOptions& format,
                       int64_t samples, int64_t most, int threads);

// Refuses statistics that can't be compared with these features, or lack what a metric needs.
void check_reference(const RealPictures& real, const Features& features, const std::vector<QualityMetric>& metrics);

// Takes the features of the reference and the floor, with a progress line, and warns about what is not known of them.
RealFeatures features_of_real(const Features& features, const RealPictures& real, int64_t samples, int64_t batch);

}  // namespace ddpm::cli
