#pragma once

#include <cstdint>
#include <vector>

#include "ddpm/image/image.h"

namespace ddpm {

// Lays out images of one size and channel count row by row, with `gap` pixels of `background` between and around them.
// `columns` 0 chooses ⌈√n⌉. There must be at least one image.
Image make_grid(const std::vector<Image>& images, int columns = 0, int gap = 2, uint8_t background = 255);

// Enlarges the pictures by a whole number, so that small ones can be looked at, and calls make_grid.
Image make_readable_grid(const std::vector<Image>& images, int columns = 0);

}  // namespace ddpm
