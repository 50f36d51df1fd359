#pragma once

#include <cstdint>

#include "ddpm/image/image.h"

namespace ddpm {

// The one place where pixels become the numbers that networks see, and back: x = 2·v/255 − 1.

// hwc: height × width × channels bytes. chw: as many floats in [−1, 1], channels outermost.
void to_signed_unit(const uint8_t* hwc, int height, int width, int channels, float* chw);

// round(clamp(x/2 + 0.5, 0, 1)·255), halves to even as diffusers does; NaN becomes 0.
Image from_signed_unit(const float* chw, int channels, int height, int width);

}  // namespace ddpm
