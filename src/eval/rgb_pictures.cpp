#include "eval/rgb_pictures.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/image/transform.h"

namespace ddpm::eval {

namespace {

// Applies `change` to each picture of bytes [n, C, H, W], which makes it one of [channels, height, width].
template <class Change>
at::Tensor each_picture(const at::Tensor& bytes, int64_t channels, int64_t height, int64_t width, Change change) {
    const at::Tensor hwc = bytes.permute({0, 2, 3, 1}).contiguous();
    const at::Tensor out = at::empty({bytes.size(0), height, width, channels}, at::kByte);
    Image image = make_image(static_cast<int>(bytes.size(3)), static_cast<int>(bytes.size(2)), static_cast<int>(bytes.size(1)));
    for (int64_t i = 0; i < bytes.size(0); ++i) {
        std::copy_n(hwc[i].const_data_ptr<uint8_t>(), image.pixels.size(), image.pixels.begin());
        const Image changed = change(image);
        std::copy(changed.pixels.begin(), changed.pixels.end(), out[i].mutable_data_ptr<uint8_t>());
    }
    return out.permute({0, 3, 1, 2}).contiguous();
}

}  // namespace

std::string rgb_words(const PictureFormat& format, const std::string& features) {
    if (format.channels == 1) return ", grey repeated";
    if (format.channels == 4) return ", alpha over white";
    if (format.channels != 3)
        user_error(fmt::format("features: {} takes pictures of 1, 3 or 4 channels; these have {} (grey with alpha)", features,
                               format.channels),
                   "read the pictures with dataset.channels 1 or 3");
    return "";
}

at::Tensor to_rgb(const at::Tensor& bytes) {
    if (bytes.size(1) == 3) return bytes;
    if (bytes.size(1) == 1) return bytes.expand({-1, 3, -1, -1}).contiguous();
    return each_picture(bytes, 3, bytes.size(2), bytes.size(3), [](const Image& image) { return convert_channels(image, 3); });
}

at::Tensor resize_bytes(const at::Tensor& bytes, int64_t height, int64_t width) {
    if (bytes.size(2) == height && bytes.size(3) == width) return bytes;
    return each_picture(bytes, bytes.size(1), height, width,
                        [&](const Image& image) { return resize(image, static_cast<int>(width), static_cast<int>(height)); });
}

}  // namespace ddpm::eval
