#pragma once

#include <array>

#include "ddpm/image/image.h"

namespace ddpm {

// Resizes by antialiased bicubic interpolation (Keys, a = −0.5); a reduction widens the support by its factor. The
// integer arithmetic is Pillow's own, rows before columns, so that the result equals Image.resize(…, BICUBIC) byte for byte on every
// machine (Pillow 13.0 begins with the columns where that is less work, as where one side grows and the other shrinks). Pixels
// with alpha are averaged premultiplied, as there. width, height ≥ 1.
Image resize(const Image& image, int width, int height);

// The rectangle must lie within the image.
Image crop(const Image& image, int x, int y, int width, int height);

Image flip_horizontal(Image image);

// Every pixel becomes factor × factor pixels. factor ≥ 1.
Image enlarge(const Image& image, int factor);

// Converts to 1 (ITU-R 601 luma, as Pillow's "L"), 3 or 4 channels. Alpha is kept in 4 channels (255 where there was
// none) and otherwise composited over `background`.
Image convert_channels(const Image& image, int channels, std::array<uint8_t, 3> background = {255, 255, 255});

}  // namespace ddpm
