#include "dataset/framing.h"

#include <algorithm>
#include <cmath>

#include "ddpm/image/transform.h"

namespace ddpm::dataset {

namespace {

// How much more elongated than the frame a picture may be. Without this limit a line of a million pixels would be enlarged to
// a million times the frame's height.
constexpr int64_t kLongest = 16;

// Returns the size of the part of the picture that is used.
PictureSize usable(PictureSize picture, PictureSize frame) {
    return {std::min(picture.width, std::max<int64_t>(1, picture.height * frame.width * kLongest / frame.height)),
            std::min(picture.height, std::max<int64_t>(1, picture.width * frame.height * kLongest / frame.width))};
}

int64_t scaled(int64_t length, int64_t to, int64_t from) {
    return std::llround(static_cast<double>(length) * static_cast<double>(to) / static_cast<double>(from));
}

}  // namespace

PictureSize covering_size(PictureSize picture, PictureSize frame) {
    const PictureSize used = usable(picture, frame);
    if (used.width * frame.height >= used.height * frame.width)
        return {std::max(frame.width, scaled(used.width, frame.height, used.height)), frame.height};
    return {frame.width, std::max(frame.height, scaled(used.height, frame.width, used.width))};
}

Image cover(const Image& picture, PictureSize frame) {
    const PictureSize whole{picture.width, picture.height}, used = usable(whole, frame), size = covering_size(whole, frame);
    const auto covering = [&](const Image& image) {
        return size == PictureSize{image.width, image.height}
                   ? image
                   : resize(image, static_cast<int>(size.width), static_cast<int>(size.height));
    };
    if (used == whole) return covering(picture);
    return covering(crop(picture, static_cast<int>((whole.width - used.width) / 2),
                         static_cast<int>((whole.height - used.height) / 2), static_cast<int>(used.width),
                         static_cast<int>(used.height)));
}

void frame_picture(const Image& covering, PictureSize frame, bool random, RandomStream& augmentation, uint8_t* hwc) {
    const int64_t room_x = covering.width - frame.width, room_y = covering.height - frame.height;
    const int64_t x = random ? static_cast<int64_t>(augmentation.below(static_cast<uint64_t>(room_x + 1))) : room_x / 2;
    const int64_t y = random ? static_cast<int64_t>(augmentation.below(static_cast<uint64_t>(room_y + 1))) : room_y / 2;
    const int64_t row = frame.width * covering.channels;
    for (int64_t i = 0; i < frame.height; ++i) {
        const uint8_t* from = covering.pixels.data() + ((y + i) * covering.width + x) * covering.channels;
        std::copy(from, from + row, hwc + i * row);
    }
}

}  // namespace ddpm::dataset
