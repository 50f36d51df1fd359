#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <ATen/core/Tensor.h>

#include "cli/eval_flags.h"
#include "cli/sampling_flags.h"
#include "ddpm/core/json.h"
#include "ddpm/dataset/options.h"
#include "ddpm/eval/features.h"
#include "ddpm/pipeline/model.h"
#include "ddpm/sampling/sampler.h"

namespace ddpm::cli {

// The samples that are judged: of a model, of a folder, or of a file.
struct JudgedSamples {
    int64_t count = 0;
    Json what;                // of the result's JSON: where they come from
    int64_t evaluations = 1;  // of the network for one; 1 of pictures that are read
    std::string description;  // "500 samples of runs/shapes by ancestral in 1000 steps"
    // Returns samples first … first + n − 1, [n,C,H,W], float in [−1, 1] or uint8, and says how many evaluations each has had so far.
    std::function<at::Tensor(int64_t first, int64_t n, const std::function<void(int64_t evaluations)>& so_far)> read;
    std::function<std::string(int64_t i)> name;  // of a sample: "sample 17", or its file below the folder
};

// Throws a user_error if --samples is neither a folder nor a file.
void check_samples(const std::string& samples);

// Returns how --samples and --data are read without a model: as the configuration says, or else in the format that is `known`, or else
// in that of the first sample.
NamedData data_of_samples(const EvalFlags& flags, const std::string& samples, const PictureFormat& known = {});

// The pictures of --samples: a folder, read as `format` says, or an .npz file (npz_pictures.h), which must have that format. `count` of
// them, or all; more than there are is a user_error.
JudgedSamples read_samples(const std::string& samples, const std::optional<int64_t>& count, const DatasetOptions& format,
                           int threads);

// "dpmpp_2m in 20 steps (eta 1, timestep_spacing trailing)": all that decides how samples are drawn but guidance.
std::string words_of_sampling(const ResolvedSampling& settings);

// Samples 0 … count − 1 of a model that flags.ckpt names: sample i follows from (flags.seed, i). The samples keep the model.
JudgedSamples samples_of_model(const EvalFlags& flags, const SampleOptions& sampling, int64_t count, const Model& model,
                               const std::string& precision);

// Draws or reads the samples and returns their raw features, [N, D_raw], with a progress line. Stops as throw_if_stopped does.
at::Tensor features_of_samples(const Features& features, const JudgedSamples& samples, int64_t batch);

}  // namespace ddpm::cli
