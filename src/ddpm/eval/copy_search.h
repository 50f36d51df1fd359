#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/eval/features.h"
#include "ddpm/eval/judge.h"
#include "ddpm/eval/memorisation.h"
#include "ddpm/eval/picture_views.h"

namespace ddpm {

// Whether samples are copies of training pictures (memorisation.h), by two distances between pictures: that of their bytes, where a
// picture moved by a pixel, or mirrored if the model was trained on both, is the same (picture_views.h), and that of features.

// Pictures [n, H, W, C] bytes on the CPU, with their numbers in the data set.
struct NumberedPictures {
    at::Tensor pixels;
    at::Tensor numbers;  // [n] int64, ascending
};

struct CopySets {
    at::Tensor samples;   // [N, C, H, W] bytes, N ≥ 1
    at::Tensor held_out;  // [H, C, H, W] bytes, H ≥ 1: pictures of the data's law that the model was not trained on
    // Where nothing is held out, `held_out` are training pictures that stand in, and `own` [H] int64 their numbers: the distances of
    // such a picture are those to the other training pictures. Undefined otherwise.
    at::Tensor own;
    int64_t training = 0;  // the training pictures have the numbers 0 … training − 1
    // Returns those of the training pictures first … first + n − 1 that can be read, read as they are.
    std::function<NumberedPictures(int64_t first, int64_t n)> read;
};

// What a distance says about the samples.
struct CopyMeasure {
    std::string name;                    // "pixel", or the name of the features
    at::Tensor ratios, held_out_ratios;  // ℓ [N], [H]
    CopiesFound copies;
    int64_t equal = 0, held_out_equal = 0;  // pictures at no distance from a training picture
    at::Tensor to_training, training;       // [N]: the distance to the nearest training picture, and its number
    at::Tensor to_held_out,
        held_out;       // [N]: of the nearest held-out picture, its place in CopySets::held_out; undefined with `own`
    Share authentic{};  // AuthPct
    std::optional<Share> nearer_to_training;  // nothing with `own`, for which there are no held-out pictures
    std::optional<DataCopying> data_copying;  // C_T; nothing with `own`
};

struct CopySearch {
    int64_t training = 0;        // pictures that could be read
    std::string sha256;          // of their bytes, in order
    bool stands_in = false;      // CopySets::own was given
    double nearer_expected = 0;  // |T|/(|T| + |H|), what CopyMeasure::nearer_to_training is on average
    std::vector<CopyMeasure> measures;
};

struct CopySettings {
    bool mirrored = false;  // whether the model was trained on mirror images too
    int64_t batch = 64;     // pictures of which features are taken at a time
};

// Compares with all training pictures, in two passes; they are read in blocks and not kept. `features` null or "pixel": bytes alone.
// Features that are fitted to a reference are fitted to 2000 training pictures, spread evenly. `after_block` is told how many pictures
// of both passes are done, of 2·training in all, and may throw. Throws a user error if fewer than three training pictures can be read.
CopySearch search_copies(const CopySets& sets, const Features* features, const CopySettings& settings,
                         const AfterBatch& after_block);

// For each sample how suspicious it is, [N] float64: the smallest of its ratios, each divided by the threshold below which it is
// flagged. Below 1 it is flagged by some distance.
at::Tensor suspicion(const CopySearch& search);

// A distance accuses if chance does as much at most this often. Of two distances it is half, so that a clean model is accused in at most
// one case of twenty. Training pictures that stand in depend on each other, and the chance is reckoned too small; so it is a tenth then.
inline constexpr double kAccusation = 0.05;

// Whether a distance accuses.
bool accuses(const CopyMeasure& measure, const CopySearch& search);

// Says in one sentence what was found, and by how much.
std::string copying_verdict(const CopySearch& search);

}  // namespace ddpm
