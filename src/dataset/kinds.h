#pragma once

#include <cstdint>
#include <memory>

#include "ddpm/dataset/dataset.h"

namespace ddpm::dataset {

// The factories of the table in dataset.cpp, each in a file of its own.
std::unique_ptr<Dataset> open_shapes(const DatasetOptions& options, uint64_t seed, int threads);
std::unique_ptr<Dataset> open_image_folder(const DatasetOptions& options, uint64_t seed, int threads);
std::unique_ptr<Dataset> open_cifar10(const DatasetOptions& options, uint64_t seed, int threads);
std::unique_ptr<Dataset> open_mnist(const DatasetOptions& options, uint64_t seed, int threads);

// Throws a user_error that says what it is if dataset.path leads to a file or a device, such as a picture or an archive that
// has to be unpacked first.
void refuse_file_for_folder(const DatasetOptions& options);

}  // namespace ddpm::dataset
