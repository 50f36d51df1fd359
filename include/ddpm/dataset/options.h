#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "ddpm/core/options.h"

namespace ddpm {

// The configuration section `dataset`. dataset_fields() says what each key means and allows.
struct DatasetOptions {
    std::string type = "shapes";
    std::string path;  // relative to the working directory; empty for built-in sets
    std::string split = "train";
    int64_t length = 50000;
    int64_t height = 32, width = 32;  // both from `image_size`
    int64_t channels = 3;
    bool random_flip = false;
    std::string crop = "center";
    std::array<uint8_t, 3> background{255, 255, 255};
    std::string on_broken = "skip";
    int64_t max_pixels = 100'000'000;
    int64_t cache_mb = 1024;
    int64_t workers = 0;
    double holdout = 0;
};

const FieldTable<DatasetOptions>& dataset_fields();

// Throws a user_error, whose key is the path of one of them, if keys contradict each other. It looks at no files.
void check(const DatasetOptions& options);

// Returns the number of threads that read pictures: `workers`, or if that is 0, the `threads` of the program (at least 1).
int worker_count(const DatasetOptions& options, int threads);

}  // namespace ddpm
