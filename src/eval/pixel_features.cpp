#include <ATen/ATen.h>

#include "eval/feature_kinds.h"

namespace ddpm::eval {

namespace {

// [N, C·H·W] in [0, 1], in the order of the picture's tensor.
class PixelFeatures : public Features {
public:
    explicit PixelFeatures(const PictureFormat& format)
        : Features({.features = "pixel",
                    .definition = "every value of the picture, divided by 255",
                    .sha256 = {},
                    .resize = "none",
                    .range = "8 bits as 0 ... 1",
                    .pictures = format,
                    .dimension = format.channels * format.height * format.width}) {}

private:
    at::Tensor compute(const at::Tensor& bytes) const override { return bytes.to(at::kFloat).div_(255).flatten(1); }
};

}  // namespace

std::unique_ptr<Features> make_pixel_features(const PictureFormat& format, c10::Device /*device*/,
                                              const std::filesystem::path& /*file*/) {
    return std::make_unique<PixelFeatures>(format);
}

}  // namespace ddpm::eval
