#include "ddpm/image/pixels.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace ddpm {

namespace {

std::array<float, 256> signed_unit_table() {
    std::array<float, 256> table;
    for (int v = 0; v < 256; ++v) table[v] = static_cast<float>(v / 127.5 - 1.0);
    return table;
}

}  // namespace

void to_signed_unit(const uint8_t* hwc, int height, int width, int channels, float* chw) {
    static const std::array<float, 256> table = signed_unit_table();
    const size_t area = static_cast<size_t>(height) * width;
    for (int c = 0; c < channels; ++c)
        for (size_t i = 0; i < area; ++i) chw[c * area + i] = table[hwc[i * channels + c]];
}

Image from_signed_unit(const float* chw, int channels, int height, int width) {
    Image image = make_image(width, height, channels);
    const size_t area = static_cast<size_t>(height) * width;
    for (int c = 0; c < channels; ++c) {
        for (size_t i = 0; i < area; ++i) {
            const float unit = chw[c * area + i] / 2 + 0.5f;
            // NaN fails this comparison and becomes 0.
            const float clamped = unit > 0 ? std::min(unit, 1.0f) : 0.0f;
            image.pixels[i * channels + c] = static_cast<uint8_t>(std::nearbyint(clamped * 255));
        }
    }
    return image;
}

}  // namespace ddpm
