#pragma once

#include <cstdint>
#include <string>

#include "ddpm/core/random.h"
#include "ddpm/image/image.h"

namespace ddpm::dataset {

// A size in pixels.
struct PictureSize {
    int64_t width = 0, height = 0;
    bool operator==(const PictureSize&) const = default;
};

// Returns the size at which a picture just covers `frame`: one side is equal, the other at least as long, and the proportions
// are kept to the nearest pixel. A picture that is more than 16 times as elongated as the frame counts as cut to that first.
PictureSize covering_size(PictureSize picture, PictureSize frame);

// Returns the picture resized to covering_size. One that is too elongated loses its ends.
Image cover(const Image& picture, PictureSize frame);

// Writes the part of a covering picture that `frame` shows: its middle, or with `random` a part drawn from `augmentation`.
// `hwc`: frame.height × frame.width × channels bytes.
void frame_picture(const Image& covering, PictureSize frame, bool random, RandomStream& augmentation, uint8_t* hwc);

}  // namespace ddpm::dataset
