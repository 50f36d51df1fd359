#pragma once

#include <cstdint>
#include <vector>

#include "ddpm/image/image.h"

namespace ddpm {

// Images of one size and channel count, row by row, `gap` pixels of `background` between and around them.
// columns 0 chooses ⌈√n⌉. At least one image.
Image make_grid(const std::vector<Image>& images, int columns = 0, int gap = 2, uint8_t background = 255);

// make_grid of pictures that are first enlarged by a whole number, so that small ones can be looked at.
Image make_readable_grid(const std::vector<Image>& images, int columns = 0);

}  // namespace ddpm
