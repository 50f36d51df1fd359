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

// What something is measured on, batch by batch: pictures of a data set (a folder is one of type image_folder) or of a
// sampler that draws them when they are asked for.
struct ImageSource {
    int64_t count = 0;
    std::string description;  // "100 pictures of shapes"
    // Pictures first … first + count − 1. The same ones whatever comes with them in a batch.
    std::function<ImageBatch(int64_t first, int64_t count)> read;
};

// `count` pictures spread evenly over a data set, which may be sorted by class; all of them where it has fewer. What is
// drawn at random when they are read (flip, crop) follows from `seed`. `label_of`: the label to give for each of the data
// set's; empty: its own.
ImageSource dataset_source(std::shared_ptr<const Dataset> dataset, int64_t count, uint64_t seed,
                           std::vector<int64_t> label_of = {});

// [N, H, W, C] uint8 → [N, C, H, W] float32 in [−1, 1], as networks are trained on.
at::Tensor to_x_start(const at::Tensor& pixels);

}  // namespace ddpm
