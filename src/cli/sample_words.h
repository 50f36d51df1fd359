#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/edit_flags.h"
#include "cli/run_flags.h"
#include "cli/sampling_flags.h"
#include "ddpm/image/codec.h"
#include "ddpm/pipeline/session.h"

namespace ddpm::cli {

struct SampleFlags : RunFlags {
    static constexpr const char* kOut = "samples";

    std::string ckpt, out = kOut, grid, trajectory, label, format = "png", noise, guide_ckpt;
    std::optional<int64_t> n;
    int64_t seed = 0, batch = 64;
    bool overwrite = false;
    SamplingFlags sampling;
    EditFlags edit;
};

// What the flags have been settled to, once the model is open.
struct Drawing {
    const SampleFlags& flags;
    EditInput input;
    ResolvedSampling whole;                  // as the flags, or the model, say it
    ResolvedSampling walked;                 // the part of it that is gone through
    std::vector<int64_t> left{};             // evaluations of a picture after 0, 1, … steps; RePaint's repetitions count
    int64_t n = 0;                           // pictures
    std::optional<int64_t> label{};          // of all pictures; unset: in turn, or there are none
    std::string precision{}, noise_crc32{};  // fp32 or bf16; of the file of --noise
};

// Which weights are asked, and how, as texts of a picture or a file. `label`: of all the pictures, or unset.
PngText model_text(const SampleFlags& flags, const Model& model, const std::string& precision, const std::optional<int64_t>& label);

// What picture `first` says of itself; with a `count`, what one of pictures first … first + count − 1 together says.
PngText how_made(const Drawing& drawing, const Session& session, int64_t first, std::optional<int64_t> count = {});

// For the log: where the noise comes from. Only what is drawn is said to come from the seed.
std::string describe_noise(const Drawing& drawing, const GivenNoise& given);
// For the log: "5 steps", "3 steps of 5 from t = 29", "6 steps from t = 45", "5 steps (9 evaluations)".
std::string describe_steps(const Drawing& drawing);
// For the log: ", guidance 3, rescaled by 0.7, at noise levels 0.3 … 5, by runs/shapes/checkpoints/step-001000", or "" without guidance.
std::string describe_guidance(const Guidance& guidance, const Model* guide);

// The flags of these that another `ddpm sample` needs to ask the same network in the same way: " --label 3 --weights raw".
std::string flags_of_model(const SampleFlags& flags, const std::optional<int64_t>& label);

}  // namespace ddpm::cli
