#pragma once

#include <fstream>
#include <string>

#include "ddpm/core/files.h"
#include "ddpm/dataset/dataset.h"
#include "ddpm/image/image.h"

namespace ddpm {

inline void put(const fs::path& path, const std::string& bytes) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
}

// Returns the bytes of a binary PPM picture of one colour.
inline std::string ppm(int width, int height, uint8_t red, uint8_t green, uint8_t blue) {
    std::string bytes = "P6\n" + std::to_string(width) + " " + std::to_string(height) + "\n255\n";
    for (int i = 0; i < width * height; ++i) bytes += {static_cast<char>(red), static_cast<char>(green), static_cast<char>(blue)};
    return bytes;
}

inline std::vector<uint8_t> read_example(const Dataset& dataset, int64_t index, uint64_t draw = 0, int64_t* label = nullptr) {
    std::vector<uint8_t> pixels(static_cast<size_t>(dataset.height() * dataset.width() * dataset.channels()));
    RandomStream augmentation(1, Purpose::augmentation, draw);
    const int64_t read_label = dataset.read(index, augmentation, pixels.data());
    if (label != nullptr) *label = read_label;
    return pixels;
}

}  // namespace ddpm
