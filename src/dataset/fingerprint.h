#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "ddpm/dataset/dataset.h"

namespace ddpm::dataset {

// Continues a crc32, which begins with 0.
uint32_t checksum(uint32_t before, std::string_view bytes);

// The fingerprint of these files, whose names count from `root` on. The sample is all of a small file and four pieces of a large
// one, of every file of up to 1024 and of 1024 that are spread evenly over more.
DataFingerprint fingerprint_of_files(const std::filesystem::path& root, const std::vector<std::filesystem::path>& files,
                                     int threads);

}  // namespace ddpm::dataset
