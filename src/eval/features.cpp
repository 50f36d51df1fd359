#include "ddpm/eval/features.h"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/named_rows.h"
#include "ddpm/core/sha256.h"
#include "ddpm/core/text.h"
#include "ddpm/image/pixels.h"
#include "eval/feature_kinds.h"
#include "eval/inception_features.h"

namespace ddpm {

namespace {

std::string shape_text(at::IntArrayRef sizes) { return fmt::format("{}", fmt::join(sizes, "x")); }

std::string format_text(const PictureFormat& format) { return shape_text({format.channels, format.height, format.width}); }

void check_finite(const at::Tensor& pictures) {
    const at::Tensor finite = at::isfinite(pictures).flatten(1).all(1).to(at::kCPU);
    for (int64_t i = 0; i < finite.size(0); ++i)
        if (!finite[i].item<bool>())
            user_error(fmt::format("features: picture {} of {} has a number that is not finite; expected numbers in [-1, 1]", i + 1,
                                   finite.size(0)),
                       "A model that gives such pictures has diverged: try an earlier checkpoint.");
}

// The bytes of the PNGs that would be written of pictures [N, C, H, W] in [−1, 1].
at::Tensor rounded_to_bytes(const at::Tensor& pictures) {
    const at::Tensor x = pictures.to(at::kCPU, at::kFloat).contiguous();
    const int64_t channels = x.size(1), height = x.size(2), width = x.size(3);
    const at::Tensor bytes = at::empty({x.size(0), height, width, channels}, at::kByte);
    for (int64_t i = 0; i < x.size(0); ++i) {
        const Image image = from_signed_unit(x[i].const_data_ptr<float>(), static_cast<int>(channels), static_cast<int>(height),
                                             static_cast<int>(width));
        std::copy(image.pixels.begin(), image.pixels.end(), bytes[i].mutable_data_ptr<uint8_t>());
    }
    return bytes.permute({0, 3, 1, 2});
}

}  // namespace

Json FeatureProtocol::json() const {
    return {{"features", features}, {"definition", definition},          {"sha256", sha256},      {"resize", resize},
            {"range", range},       {"pictures", format_text(pictures)}, {"dimension", dimension}};
}

std::string FeatureProtocol::line() const {
    return fmt::format("{} (sha256 {}), {}, resize {}, {}, {}", features, sha256.substr(0, 12), format_text(pictures), resize,
                       range, plural(dimension, "number"));
}

Features::Features(FeatureProtocol protocol) : protocol_(std::move(protocol)) {
    if (protocol_.sha256.empty()) protocol_.sha256 = sha256_of(protocol_.definition);
}

at::Tensor Features::raw(const at::Tensor& pictures) const {
    const c10::InferenceMode no_gradients;
    const PictureFormat& format = protocol_.pictures;
    if (pictures.dim() != 4 || pictures.size(1) != format.channels || pictures.size(2) != format.height ||
        pictures.size(3) != format.width)
        user_error(
            fmt::format("features: pictures of {}; the {} features were made for Nx{} (channels, height, width), as the "
                        "reference has",
                        shape_text(pictures.sizes()), protocol_.features, format_text(format)));
    const bool floating = pictures.is_floating_point();
    if (!floating && pictures.scalar_type() != at::kByte)
        runtime_failure(
            fmt::format("features: pictures of dtype {}; expected uint8 or floats", at::toString(pictures.scalar_type())));
    if (floating) check_finite(pictures);
    return compute(floating ? rounded_to_bytes(pictures) : pictures.to(at::kCPU));
}

FeatureTransform Features::fit(const at::Tensor& /*raw*/) const { return {}; }

at::Tensor Features::transformed(const at::Tensor& raw, const FeatureTransform& transform) const {
    if (!transform.empty())
        user_error(fmt::format("features: a transform with \"{}\"; the {} features have none, so it was made for others",
                               transform.begin()->first, protocol_.features));
    return raw;
}

const std::vector<FeatureKind>& feature_kinds() {
    using eval::InceptionForm;
    static const std::vector<FeatureKind> table = {
        {"scatter", "log-scattering: wavelets at several scales and angles, whitened by the reference; no weights", false,
         eval::make_scatter_features},
        {"pixel", "every value of the picture, as it is", false, eval::make_pixel_features},
        {"inception", "what FID is of: 2048 numbers of Inception v3, resized as TensorFlow 1 does, so as torch-fidelity", true,
         eval::make_inception_features<InceptionForm::legacy_tensorflow>},
        {"inception-pytorch-fid", "the same, resized as pytorch-fid does", true,
         eval::make_inception_features<InceptionForm::pytorch_fid>},
        {"inception-clean-fid", "the same, resized as clean-fid does", true,
         eval::make_inception_features<InceptionForm::clean_fid>},
        {"inception-spatial", "2023 numbers of its middle, of which sFID is", true,
         eval::make_inception_features<InceptionForm::spatial>},
        {"dinov2", "DINOv2's class token, of model.safetensors as transformers writes it", true, eval::make_dinov2_features},
        {"clip", "CLIP's picture embedding, of model.safetensors as transformers writes it", true, eval::make_clip_features},
        {"torchscript", "what any network of a TorchScript file answers; FILE.pt alone means it too", true,
         eval::make_script_features},
    };
    return table;
}

FeatureChoice read_feature_choice(const std::string& name) {
    if (name.ends_with(".pt") && name.find(':') == name.npos) return {&row_named(feature_kinds(), "features", "torchscript"), name};
    const size_t colon = std::min(name.find(':'), name.size());
    const FeatureKind& kind = row_named(feature_kinds(), "features", name.substr(0, colon));
    const std::string file = colon < name.size() ? name.substr(colon + 1) : "";
    if (kind.takes_file && file.empty())
        user_error(fmt::format("features: {} need a file of weights; expected {}:FILE", kind.name, kind.name));
    if (!kind.takes_file && colon < name.size())
        user_error(fmt::format("features: {} take no file; got {}", kind.name, quote(name)));
    return {&kind, file};
}

std::unique_ptr<Features> make_features(const std::string& name, const PictureFormat& format, c10::Device device) {
    const FeatureChoice choice = read_feature_choice(name);
    if (format.channels < 1 || format.channels > 4 || format.height < 1 || format.width < 1)
        user_error(
            fmt::format("features: pictures of {} (channels, height, width); expected 1 to 4 channels and sides of at least 1",
                        format_text(format)));
    return choice.kind->make(format, device, choice.file);
}

}  // namespace ddpm
