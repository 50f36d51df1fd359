#include <algorithm>
#include <array>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "eval/feature_kinds.h"
#include "eval/file_digest.h"
#include "eval/rgb_pictures.h"
#include "eval/vit.h"

namespace ddpm::eval {

namespace {

// What a kind of network is fed.
struct VitInput {
    int64_t side;  // of the square pictures
    std::array<float, 3> mean, deviation;
    bool unit_norm;  // of the features
};

// ImageNet's, as DINOv2 was trained.
constexpr std::array<float, 3> kImageNetMean{0.485F, 0.456F, 0.406F}, kImageNetDeviation{0.229F, 0.224F, 0.225F};
constexpr std::array<float, 3> kClipMean{0.48145466F, 0.4578275F, 0.40821073F},
    kClipDeviation{0.26862954F, 0.26130258F, 0.27577711F};
constexpr int64_t kDinov2Side = 224;  // as FD-DINOv2 is measured (arXiv 2306.04675), whatever size the positions are for

// Pictures that go through the network together. A batch is what a GPU needs to be busy, and few enough for its memory.
constexpr int64_t kTogetherCpu = 8, kTogetherGpu = 64;

class VitFeatures : public Features {
public:
    VitFeatures(FeatureProtocol protocol, Vit vit, const VitInput& input, c10::Device device)
        : Features(std::move(protocol)), vit_(std::move(vit)), input_(input), device_(device) {}

private:
    at::Tensor compute(const at::Tensor& bytes) const override {
        const int64_t count = bytes.size(0), together = device_.is_cpu() ? kTogetherCpu : kTogetherGpu;
        const at::Tensor out = at::empty({count, vit_.dimension()}, at::kFloat);
        for (int64_t first = 0; first < count; first += together) {
            const int64_t last = std::min(first + together, count);
            const at::Tensor small = resize_bytes(to_rgb(bytes.slice(0, first, last)), input_.side, input_.side);
            const auto channel = [&](const std::array<float, 3>& values) {
                return at::tensor(at::ArrayRef<float>(values.data(), values.size()), at::kFloat).view({1, 3, 1, 1}).to(device_);
            };
            const at::Tensor x = (small.to(device_, at::kFloat).div_(255) - channel(input_.mean)) / channel(input_.deviation);
            at::Tensor features = vit_(x);
            if (input_.unit_norm) features = features / at::linalg_vector_norm(features, 2, {1}, true);
            out.slice(0, first, last).copy_(features);
        }
        return out;
    }

    Vit vit_;
    VitInput input_;
    c10::Device device_;
};

std::unique_ptr<Features> make_vit_features(const std::string& kind, const std::string& definition, ReadVit read,
                                            const VitInput& input, const PictureFormat& format, c10::Device device,
                                            const std::filesystem::path& file) {
    if (input.side < read.vit.patch_side())
        user_error(fmt::format("{}: has patches of {} pixels, larger than the pictures of {} that it is given", file.string(),
                               read.vit.patch_side(), input.side));
    if (read.left_out > 0)
        spdlog::info("{}: {} of other parts of the model are left out", file.string(), plural(read.left_out, "tensor"));
    const auto numbers = [](const std::array<float, 3>& values) { return fmt::format("{}", fmt::join(values, " ")); };
    FeatureProtocol protocol{
        .features = kind,
        .definition = fmt::format("{}: {}", read.vit.words(), definition),
        .sha256 = sha256_of_file(file),
        .resize = fmt::format("{}x{}, bicubic, antialiased{}", input.side, input.side, rgb_words(format, kind)),
        .range = fmt::format("(8 bits as 0 ... 1 - {}) / {}", numbers(input.mean), numbers(input.deviation)),
        .pictures = format,
        .dimension = read.vit.dimension()};
    return std::make_unique<VitFeatures>(std::move(protocol), std::move(read.vit), input, device);
}

}  // namespace

std::unique_ptr<Features> make_dinov2_features(const PictureFormat& format, c10::Device device, const std::filesystem::path& file) {
    rgb_words(format, "dinov2");
    ReadVit read = read_dinov2(file, device);
    const VitInput input{kDinov2Side, kImageNetMean, kImageNetDeviation, false};
    const std::string definition =
        fmt::format("DINOv2, class token after the last norm{}",
                    read.vit.registers.defined() ? fmt::format(", {} registers", read.vit.registers.size(1)) : "");
    return make_vit_features("dinov2", definition, std::move(read), input, format, device, file);
}

std::unique_ptr<Features> make_clip_features(const PictureFormat& format, c10::Device device, const std::filesystem::path& file) {
    rgb_words(format, "clip");
    ReadVit read = read_clip(file, device);
    const VitInput input{read.vit.patches_a_side() * read.vit.patch_side(), kClipMean, kClipDeviation, true};
    return make_vit_features("clip", "CLIP's projected class token, of length 1", std::move(read), input, format, device, file);
}

}  // namespace ddpm::eval
