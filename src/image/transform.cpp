#include "ddpm/image/transform.h"

#include <algorithm>
#include <cstring>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"

namespace ddpm {

Image crop(const Image& image, int x, int y, int width, int height) {
    if (x < 0 || y < 0 || width < 1 || height < 1 || x > image.width - width || y > image.height - height)
        runtime_failure(
            fmt::format("crop: {}x{} at ({}, {}) does not lie within {}x{}", width, height, x, y, image.width, image.height));
    Image out = make_image(width, height, image.channels);
    for (int row = 0; row < height; ++row) std::memcpy(out.at(0, row), image.at(x, y + row), out.stride());
    return out;
}

Image flip_horizontal(Image image) {
    for (int y = 0; y < image.height; ++y)
        for (int left = 0, right = image.width - 1; left < right; ++left, --right)
            std::swap_ranges(image.at(left, y), image.at(left, y) + image.channels, image.at(right, y));
    return image;
}

Image enlarge(const Image& image, int factor) {
    if (factor < 1) runtime_failure(fmt::format("enlarge: factor {}, expected ≥ 1", factor));
    Image out = make_image(image.width * factor, image.height * factor, image.channels);
    for (int y = 0; y < image.height; ++y) {
        for (int x = 0; x < out.width; ++x) std::memcpy(out.at(x, y * factor), image.at(x / factor, y), image.channels);
        for (int copy = 1; copy < factor; ++copy) std::memcpy(out.at(0, y * factor + copy), out.at(0, y * factor), out.stride());
    }
    return out;
}

Image convert_channels(const Image& image, int channels, std::array<uint8_t, 3> background) {
    if (channels != 1 && channels != 3 && channels != 4)
        runtime_failure(fmt::format("convert_channels: {} channels, expected 1, 3 or 4", channels));
    if (image.channels == channels) return image;
    const bool has_alpha = image.channels == 2 || image.channels == 4;
    Image out = make_image(image.width, image.height, channels);
    const uint8_t* from = image.pixels.data();
    uint8_t* to = out.pixels.data();
    for (size_t left = out.pixels.size() / channels; left > 0; --left, from += image.channels, to += channels) {
        const int green_offset = image.channels >= 3 ? 1 : 0;
        int rgb[3] = {from[0], from[green_offset], from[2 * green_offset]};
        const int alpha = has_alpha ? from[image.channels - 1] : 255;
        if (channels == 4) {
            to[3] = static_cast<uint8_t>(alpha);
        } else if (alpha < 255) {
            for (int c = 0; c < 3; ++c) rgb[c] = (rgb[c] * alpha + background[c] * (255 - alpha) + 127) / 255;
        }
        if (channels == 1) {
            // The weights add up to 2^16, so that grey does not change.
            to[0] = static_cast<uint8_t>((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 32768) >> 16);
        } else {
            for (int c = 0; c < 3; ++c) to[c] = static_cast<uint8_t>(rgb[c]);
        }
    }
    return out;
}

}  // namespace ddpm
