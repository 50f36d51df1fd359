#pragma once

#include <optional>
#include <string_view>

#include "ddpm/image/image.h"

namespace ddpm::image {

// Returns tag 0x0112 of the first directory of an EXIF block, 1 … 8, which says how the camera was held (EXIF 2.32, 4.6.4).
// Returns nothing if there is none. The block may begin with "Exif\0\0", as in a JPEG, or with its byte order, as in a PNG.
std::optional<int> exif_orientation(std::string_view block);

// Returns whether a picture of this orientation is stored with its sides exchanged.
inline bool is_transposed(int orientation) { return orientation >= 5; }

// Returns the picture as it is to be seen. `orientation` is 1 … 8.
Image upright(const Image& stored, int orientation);

}  // namespace ddpm::image
