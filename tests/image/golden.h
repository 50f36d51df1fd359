#pragma once

#include <cstdint>
#include <filesystem>

#include "ddpm/image/image.h"

namespace ddpm::golden {

// The formulas of tests/data/image/make.py.
constexpr int kWidth = 13, kHeight = 11;

inline uint8_t value(int x, int y, int c) { return static_cast<uint8_t>(37 * x + 59 * y + 101 * c + 3 * x * y); }

inline Image picture(int channels, int width = kWidth, int height = kHeight) {
    Image image = make_image(width, height, channels);
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x)
            for (int c = 0; c < channels; ++c) image.at(x, y)[c] = value(x, y, c);
    return image;
}

inline std::filesystem::path file(const std::string& name) { return std::filesystem::path(DDPM_TEST_DATA_DIR) / "image" / name; }

}  // namespace ddpm::golden
