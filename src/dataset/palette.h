#pragma once

#include <array>

#include "ddpm/core/random.h"

namespace ddpm::dataset {

// A colour in sRGB, each number 0 … 255 and not rounded.
using Rgb = std::array<float, 3>;

// Returns a colour of OKLCH (Björn Ottosson, "A perceptual color space for image processing", 2020), in which equal lightness
// looks equally light for every hue. lightness: 0 … 1, hue: in turns. The chroma is lowered until sRGB can show the colour.
Rgb oklch(double lightness, double chroma, double hue);

// Colours that go together: a clear shape before a quiet background that fades from one colour to a near one.
struct Palette {
    Rgb shape, background_from, background_to;
};

Palette draw_palette(RandomStream& random);

}  // namespace ddpm::dataset
