#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/sampling_flags.h"
#include "ddpm/image/codec.h"
#include "ddpm/pipeline/model.h"

namespace ddpm::cli {

// What `ddpm sample --encode` is asked for.
struct EncodeRequest {
    std::string pictures, out;  // a picture or a folder; FILE.safetensors
    bool overwrite = false;
    int64_t evaluations = 1, batch = 1;
    std::optional<int64_t> label{};
    std::string precision;
    int threads = 1;
    std::string model_flags{};  // that the way back needs beside those of the walk: " --label 3 --weights raw"
    PngText model_text{};       // the same, and the checkpoint, for the file's metadata
};

// Refuses, before anything is loaded, an --out that is no such file, or that is there and was not asked to be replaced or is not
// what --encode writes.
void check_encode_place(const std::string& out, bool overwrite);

// Encodes the pictures and writes `x_T`, [N,C,H,W] float32, in the order of their names. The settings of the walk are the file's
// metadata. user_error: a sampler other than ddim, or noise, or bounds of x̂_0, was asked for by a flag.
void encode_pictures(const EncodeRequest& request, const SamplingFlags& sampling, const Model& model);

}  // namespace ddpm::cli
