#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ddpm/dataset/dataset.h"

namespace ddpm::dataset {

// Labelled pictures of one size, as CIFAR-10 and MNIST files hold them.
struct StoredPictures {
    int64_t height = 0, width = 0, channels = 0;
    std::vector<uint8_t> pixels;  // [count, height, width, channels]
    std::vector<uint8_t> labels;  // [count], each less than the number of class names
    std::vector<std::string> class_names;
};

// Makes a data set of stored pictures. If the configuration asks for another size or number of channels, a picture is
// converted whenever it is read. `description` is the beginning of Dataset::describe().
std::unique_ptr<Dataset> serve_from_memory(const DatasetOptions& options, StoredPictures pictures, const std::string& description);

}  // namespace ddpm::dataset
