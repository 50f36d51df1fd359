#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "ddpm/dataset/pictures.h"
#include "ddpm/image/codec.h"
#include "ddpm/pipeline/session.h"

namespace ddpm::cli {

// The pictures of --init and the mask of --mask, as they have been read.
struct EditInput {
    Edit edit;                                  // not asked for without --init
    std::vector<FramedPicture> pictures;        // of edit.pictures, without their pixels
    std::string mask_crc32, interpolate_crc32;  // of the files; "" without one
};

// The flags by which `ddpm sample` begins with pictures, keeps a part of them, encodes them or draws what lies between two.
class EditFlags {
public:
    void add(CLI::App& command);

    // Refuses flags that don't go together or are malformed, before anything is loaded. `noise`: --noise.
    void check(const std::string& noise) const;

    // The flags that name files to read, with their paths.
    std::vector<std::pair<std::string, fs::path>> inputs() const;

    bool edits() const { return !init_.empty(); }
    bool encodes() const { return !encode_.empty(); }
    bool interpolates() const { return !interpolate_.empty(); }
    const WalkStart& start() const { return start_; }
    // Whether this flag of the verb was given.
    bool given(const char* flag) const;
    const std::string& pictures_to_encode() const { return encode_; }
    int64_t evaluations_of_a_step() const { return fixed_point_.value_or(1); }

    // Reads the pictures and the mask for this model, and the checksum of a file to interpolate in, and logs what there is to know of them. user_error: a picture that can't be
    // read, a mask of another size.
    EditInput read(const Model& model, int64_t variants, int threads) const;

    // begun_at(), and with --repaint its checks; the errors name the flags.
    ResolvedSampling walk(const ResolvedSampling& whole, const Edit& edit, const Model& model) const;

    // For --interpolate: x_T of the strip, [n,C,H,W] from its one end to its other. `given`: the x_T of --noise or undefined.
    // user_error: the sampler adds noise, fewer than two pictures.
    at::Tensor strip(const Model& model, const ResolvedSampling& settings, uint64_t seed, int64_t n, const at::Tensor& given) const;
    // For --interpolate: the label of all its pictures; --label, or the one that both ends have. user_error: they have not one.
    std::optional<int64_t> label_of_strip(const Model& model, const std::optional<int64_t>& label) const;

    // "from picture 3 to 7 of seed 0", for the log.
    std::string describe_ends(const std::string& noise, int64_t seed) const;

    // What a PNG of samples first … first + count − 1 of `n` says of the flags that are in force.
    PngText text(const EditInput& input, int64_t first, int64_t count, int64_t n) const;

private:
    std::string init_, mask_, repaint_, encode_, interpolate_;
    WalkStart start_;
    std::optional<int64_t> fixed_point_;
    CLI::App* command_ = nullptr;  // to see which flags were given
};

// Reads pictures as training with this model does, logs in one line each what was left out and what was resized, and sets
// `pixels` to [N,C,H,W] float32 in [−1, 1]. The images of the result are empty.
std::vector<FramedPicture> read_for(const Model& model, const std::string& flag, const fs::path& path, int threads,
                                    at::Tensor& pixels);

}  // namespace ddpm::cli
