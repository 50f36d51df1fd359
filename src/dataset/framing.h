#pragma once

#include <cstdint>
#include <string>

#include "ddpm/core/random.h"
#include "ddpm/image/image.h"

namespace ddpm::dataset {

// In pixels.
struct PictureSize {
    int64_t width = 0, height = 0;
    bool operator==(const PictureSize&) const = default;
};

// The size at which a picture just covers `frame`: one side equal, the other at least as long, proportions kept to the
// nearest pixel. Pictures more than 16 times as long as the frame's proportions are cut to that first.
PictureSize covering_size(PictureSize picture, PictureSize frame);

// The picture resized to covering_size.
Image cover(const Image& picture, PictureSize frame);

// Writes the part of a covering picture that `frame` shows: its middle, or where `random` says a part drawn from
// `augmentation`. `hwc`: frame.height × frame.width × channels.
void frame_picture(const Image& covering, PictureSize frame, bool random, RandomStream& augmentation, uint8_t* hwc);

}  // namespace ddpm::dataset
