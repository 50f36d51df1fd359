#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/dataset/dataset.h"

namespace ddpm {

// Pictures on the CPU.
struct ImageBatch {
    at::Tensor pixels;  // [N, H, W, C] uint8
    at::Tensor labels;  // [N] int64; −1 where a picture has none
};

// Pictures to measure something on, in batches. They come from a data set (a folder is one of type image_folder), or from a
// sampler that makes them when they are read.
struct ImageSource {
    int64_t count = 0;
    std::string description;  // where they come from: "100 pictures of shapes"
    // Returns pictures first … first + count − 1, all of them within 0 … ImageSource::count − 1. A picture does not depend on the
    // batch in which it is read. Throws what the data set throws.
    std::function<ImageBatch(int64_t first, int64_t count)> read;
};

// Returns `count` different numbers from 0 … size − 1, ascending: one from each of `count` parts of about equal size, which place of it
// follows from `size` and `count` alone. So neither a data set that is sorted by class nor one whose classes take turns is
// misrepresented. All numbers if there are fewer.
std::vector<int64_t> spread(int64_t size, int64_t count);

// Returns the pictures at these places of the data set, in this order. The rest is as for dataset_source.
ImageSource dataset_source_at(std::shared_ptr<const Dataset> dataset, std::vector<int64_t> places, uint64_t seed,
                              std::vector<int64_t> label_of = {});

// Returns `count` pictures at equal steps of the data set, because it may be sorted by class, or all of them if it has fewer. Where
// classes take turns, take dataset_source_at with spread(). The source keeps the data set. Random flips and crops follow from `seed` and the picture. `label_of` maps the data
// set's labels, label_of[label], and covers all of them; if it is empty, labels stay as they are.
ImageSource dataset_source(std::shared_ptr<const Dataset> dataset, int64_t count, uint64_t seed,
                           std::vector<int64_t> label_of = {});

// Converts [N, H, W, C] uint8, contiguous on the CPU, to [N, C, H, W] float32 in [−1, 1] on the CPU, as in training.
at::Tensor to_x_start(const at::Tensor& pixels);

}  // namespace ddpm
