#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ddpm {

// 8-bit pixels as files hold them: rows top to bottom, pixels left to right, channels interleaved (HWC).
// channels: 1 grey, 2 grey + alpha, 3 RGB, 4 RGBA; alpha is not premultiplied.
struct Image {
    int width = 0, height = 0, channels = 0;
    std::vector<uint8_t> pixels;

    size_t stride() const { return static_cast<size_t>(width) * channels; }
    uint8_t* at(int x, int y) { return pixels.data() + stride() * y + static_cast<size_t>(x) * channels; }
    const uint8_t* at(int x, int y) const { return pixels.data() + stride() * y + static_cast<size_t>(x) * channels; }

    bool operator==(const Image&) const = default;
};

// Returns an image whose every byte is `value`.
inline Image make_image(int width, int height, int channels, uint8_t value = 0) {
    return {width, height, channels,
            std::vector<uint8_t>(static_cast<size_t>(width) * static_cast<size_t>(height) * channels, value)};
}

}  // namespace ddpm
