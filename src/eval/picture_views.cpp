#include "ddpm/eval/picture_views.h"

#include <algorithm>
#include <optional>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/text.h"
#include "ddpm/image/transform.h"

namespace ddpm {

namespace {

constexpr int64_t kLongestSide = 64;
constexpr int64_t kSteps = 3;  // −1, 0, 1 along each side

int64_t reduced_side(int64_t side, int64_t longest) {
    return longest <= kLongestSide ? side : std::max<int64_t>(1, (2 * side * kLongestSide + longest) / (2 * longest));
}

// "1 left" or "1 up", by the place of a window; a window farther right shows the picture moved to the left.
std::string moved(int64_t step, const char* back, const char* forth) { return fmt::format("1 {}", step == 0 ? forth : back); }

}  // namespace

PictureViews::PictureViews(const PictureFormat& format, bool mirrored)
    : channels_(format.channels),
      height_(reduced_side(format.height, std::max(format.height, format.width))),
      width_(reduced_side(format.width, std::max(format.height, format.width))),
      mirrored_(mirrored),
      reduces_(height_ != format.height || width_ != format.width) {
    const bool moves = std::min(height_, width_) >= kSteps;
    windows_ = moves ? kSteps * kSteps : 1;
    middle_height_ = moves ? height_ - 2 : height_;
    middle_width_ = moves ? width_ - 2 : width_;
}

std::string PictureViews::definition() const {
    std::string words = windows_ > 1 ? "bytes without the outermost pixels, moved by up to one pixel" : "bytes";
    if (mirrored_) words += ", mirrored or not";
    return words + (reduces_ ? fmt::format(", of pictures reduced to {}x{}", width_, height_) : "");
}

at::Tensor PictureViews::reduced(const at::Tensor& pictures) const {
    const c10::InferenceMode no_gradients;
    if (!reduces_) return pictures;
    const at::Tensor hwc = pictures.permute({0, 2, 3, 1}).contiguous();
    const at::Tensor small = at::empty({pictures.size(0), height_, width_, channels_}, at::kByte);
    Image image = make_image(static_cast<int>(pictures.size(3)), static_cast<int>(pictures.size(2)), static_cast<int>(channels_));
    for (int64_t i = 0; i < pictures.size(0); ++i) {
        std::copy_n(hwc[i].const_data_ptr<uint8_t>(), image.pixels.size(), image.pixels.begin());
        const Image resized = resize(image, static_cast<int>(width_), static_cast<int>(height_));
        std::copy(resized.pixels.begin(), resized.pixels.end(), small[i].mutable_data_ptr<uint8_t>());
    }
    return small.permute({0, 3, 1, 2});
}

at::Tensor PictureViews::middle(const at::Tensor& pictures) const {
    const c10::InferenceMode no_gradients;
    const int64_t edge = windows_ > 1 ? 1 : 0;
    return pictures.slice(2, edge, edge + middle_height_).slice(3, edge, edge + middle_width_).flatten(1).to(at::kDouble);
}

at::Tensor PictureViews::all(const at::Tensor& pictures) const {
    const c10::InferenceMode no_gradients;
    const int64_t steps = windows_ > 1 ? kSteps : 1;
    std::vector<at::Tensor> views;
    for (const bool mirror : {false, true}) {
        if (mirror && !mirrored_) break;
        const at::Tensor laid = mirror ? pictures.flip(3) : pictures;
        for (int64_t y = 0; y < steps; ++y)
            for (int64_t x = 0; x < steps; ++x)
                views.push_back(laid.slice(2, y, y + middle_height_).slice(3, x, x + middle_width_).flatten(1));
    }
    return at::stack(views, 1).to(at::kDouble);
}

PictureViews::Difference PictureViews::difference(const at::Tensor& above, const at::Tensor& below) const {
    const c10::InferenceMode no_gradients;
    const at::Tensor views = all(above.unsqueeze(0))[0];
    const at::Tensor differences = (views - middle(below.unsqueeze(0))).abs();
    const int64_t nearest_view =
        std::get<1>(at::sort(differences.square().sum(1), std::optional<bool>(true), 0))[0].item<int64_t>();
    const at::Tensor pixels = differences[nearest_view];
    std::vector<std::string> words;
    if (nearest_view >= windows_) words.emplace_back("mirrored");
    if (const int64_t x = nearest_view % windows_ % kSteps; windows_ > 1 && x != 1) words.push_back(moved(x, "left", "right"));
    if (const int64_t y = nearest_view % windows_ / kSteps; windows_ > 1 && y != 1) words.push_back(moved(y, "up", "down"));
    return {pixels.to(at::kByte).view({channels_, middle_height_, middle_width_}), pixels.mean().item<double>(), join(words)};
}

}  // namespace ddpm
