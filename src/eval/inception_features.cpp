#include "eval/inception_features.h"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/Context.h>

#include "eval/file_digest.h"
#include "eval/inception_v3.h"
#include "eval/rgb_pictures.h"

namespace ddpm::eval {

namespace {

constexpr int64_t kSide = InceptionV3::kSide;
constexpr int64_t kTogether = 8;  // pictures that go through the network at a time; one takes 20 MB

struct FormWords {
    const char *name, *resize, *range;
};

FormWords words_of(InceptionForm form) {
    constexpr const char* kLegacy = "299x299, bilinear without half-pixel centres (legacy_tensorflow)";
    constexpr const char* kCentred = "8 bits as (x - 128)/128";
    switch (form) {
        case InceptionForm::pytorch_fid:
            return {"inception-pytorch-fid", "299x299, bilinear with half-pixel centres, not antialiased (pytorch_fid)",
                    "8 bits as 2x/255 - 1"};
        case InceptionForm::clean_fid:
            return {"inception-clean-fid", "299x299, Pillow's bicubic on floats, antialiased, clipped (clean_fid)", kCentred};
        case InceptionForm::spatial:
            return {"inception-spatial", kLegacy, kCentred};
        default:
            return {"inception", kLegacy, kCentred};
    }
}

// Interpolates along one dimension: out[i] lies at i·in/299 of the input, and the last value is repeated.
at::Tensor stretched(const at::Tensor& x, int64_t dim) {
    const int64_t size = x.size(dim);
    const at::Tensor place = at::arange(kSide, at::kFloat) * (static_cast<float>(size) / static_cast<float>(kSide));
    const at::Tensor below = place.floor().to(at::kLong).clamp_max(size - 1), above = (below + 1).clamp_max(size - 1);
    std::vector<int64_t> shape(4, 1);
    shape[static_cast<size_t>(dim)] = kSide;
    const at::Tensor low = x.index_select(dim, below), high = x.index_select(dim, above);
    return low + (high - low) * (place - below).view(shape);
}

// Keeps convolutions of a GPU in float32 for as long as it lives; cuDNN rounds their factors to ten bits otherwise.
class WholeFloats {
public:
    explicit WholeFloats(c10::Device device) : on_(device.is_cuda() && at::globalContext().allowTF32CuDNN()) {
        if (on_) at::globalContext().setAllowTF32CuDNN(false);
    }
    ~WholeFloats() {
        if (on_) at::globalContext().setAllowTF32CuDNN(true);
    }
    WholeFloats(const WholeFloats&) = delete;
    WholeFloats& operator=(const WholeFloats&) = delete;

private:
    bool on_;
};

class InceptionFeatures : public Features {
public:
    InceptionFeatures(InceptionForm form, FeatureProtocol protocol, c10::Device device, InceptionV3 network)
        : Features(std::move(protocol)), form_(form), device_(device), network_(std::move(network)) {}

private:
    at::Tensor compute(const at::Tensor& bytes) const override {
        const WholeFloats whole(device_);
        const at::Tensor out = at::empty({bytes.size(0), protocol().dimension}, at::kFloat);
        const int64_t together = device_.is_cpu() ? kTogether : 8 * kTogether;
        for (int64_t first = 0; first < bytes.size(0); first += together) {
            const int64_t last = std::min(first + together, bytes.size(0));
            const at::Tensor x = inception_input(form_, to_rgb(bytes.slice(0, first, last))).to(device_);
            out.slice(0, first, last).copy_(form_ == InceptionForm::spatial ? network_.spatial(x) : network_.pooled(x));
        }
        return out;
    }

    InceptionForm form_;
    c10::Device device_;
    InceptionV3 network_;
};

}  // namespace

at::Tensor inception_input(InceptionForm form, const at::Tensor& bytes) {
    if (form == InceptionForm::pytorch_fid)
        return at::upsample_bilinear2d(bytes.to(at::kFloat).div_(255), {kSide, kSide}, /*align_corners=*/false).mul_(2).sub_(1);
    at::Tensor x;
    if (form == InceptionForm::clean_fid)  // Pillow adds up in float64, too
        x = at::_upsample_bicubic2d_aa(bytes.to(at::kDouble), {kSide, kSide}, /*align_corners=*/false)
                .to(at::kFloat)
                .clamp_(0, 255);
    else
        x = stretched(stretched(bytes.to(at::kFloat), 3), 2);
    return x.sub_(128).div_(128);
}

template <InceptionForm form>
std::unique_ptr<Features> make_inception_features(const PictureFormat& format, c10::Device device,
                                                  const std::filesystem::path& file) {
    const FormWords words = words_of(form);
    const bool spatial = form == InceptionForm::spatial;
    const std::string channels = rgb_words(format, words.name);
    InceptionV3 network = read_inception(file, device);
    FeatureProtocol protocol{.features = words.name,
                             .definition = spatial
                                               ? "Inception v3 of 2015-12-05, the first 7 channels of mixed_6/conv at 17x17 places"
                                               : "Inception v3 of 2015-12-05, means of the last block (pool_3)",
                             .sha256 = sha256_of_file(file),
                             .resize = words.resize,
                             .range = words.range + channels,
                             .pictures = format,
                             .dimension = spatial ? InceptionV3::kSpatial : InceptionV3::kPooled};
    return std::make_unique<InceptionFeatures>(form, std::move(protocol), device, std::move(network));
}

template std::unique_ptr<Features> make_inception_features<InceptionForm::legacy_tensorflow>(const PictureFormat&, c10::Device,
                                                                                             const std::filesystem::path&);
template std::unique_ptr<Features> make_inception_features<InceptionForm::pytorch_fid>(const PictureFormat&, c10::Device,
                                                                                       const std::filesystem::path&);
template std::unique_ptr<Features> make_inception_features<InceptionForm::clean_fid>(const PictureFormat&, c10::Device,
                                                                                     const std::filesystem::path&);
template std::unique_ptr<Features> make_inception_features<InceptionForm::spatial>(const PictureFormat&, c10::Device,
                                                                                   const std::filesystem::path&);

}  // namespace ddpm::eval
