#pragma once

#include <cstdint>

#include "ddpm/image/image.h"

namespace ddpm {

// Pixels v become the numbers x that networks see, and numbers become pixels, here alone: x = 2·v/255 − 1.

// hwc: height × width × channels bytes. chw: as many floats in [−1, 1], channels outermost.
void to_signed_unit(const uint8_t* hwc, int height, int width, int channels, float* chw);

// Each pixel is round(clamp(x/2 + 0.5, 0, 1)·255), with halves to even as in diffusers; NaN becomes 0.
Image from_signed_unit(const float* chw, int channels, int height, int width);

}  // namespace ddpm
