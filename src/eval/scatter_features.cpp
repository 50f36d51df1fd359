#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/image/transform.h"
#include "eval/feature_kinds.h"
#include "eval/scattering.h"

namespace ddpm::eval {

namespace {

constexpr int64_t kAngles = 6, kLongestSide = 64;
constexpr int64_t kQuadrants = 4;
constexpr double kLogOffset = 0.1;
// A path whose mean over the reference is less than this has no structure of 8-bit pixels in it, only rounding.
constexpr double kLeastMean = 1e-6;
constexpr int64_t kAxes = 64;
constexpr double kSoftening =
    0.01;  // of the largest variance, added to each: small ones are not blown up to the size of large ones
constexpr double kLeastVariance = 1e-9;  // of the largest; an axis with less is rounding
constexpr int64_t kBlock = 256;          // pictures whose logarithms or float64 numbers are in memory at a time

// The planes that are scattered together: few enough that their spectra stay in the cache.
constexpr int64_t kPlanes = 16;

struct Size {
    int64_t height, width;
};

// The size at which pictures are scattered: sides of at most kLongestSide, in proportion.
Size scattered_size(const PictureFormat& format) {
    const int64_t longest = std::max(format.height, format.width);
    if (longest <= kLongestSide) return {format.height, format.width};
    const auto reduced = [&](int64_t side) { return std::max<int64_t>(1, (2 * side * kLongestSide + longest) / (2 * longest)); };
    return {reduced(format.height), reduced(format.width)};
}

// The number of scales J of the wavelets.
int64_t scales_of(const Size& size) { return std::min(size.height, size.width) < 32 ? 2 : 3; }

FeatureProtocol scatter_protocol(const PictureFormat& format) {
    const Size size = scattered_size(format);
    const int64_t J = scales_of(size), least = int64_t{2} << J;
    const bool reduces = size.height != format.height || size.width != format.width;
    if (std::min(size.height, size.width) < least)
        user_error(fmt::format("features: scatter needs sides of at least {} pixels; the pictures have {}x{}{}; take \"pixel\"",
                               least, format.height, format.width,
                               reduces ? fmt::format(", reduced to {}x{}", size.height, size.width) : ""));
    return {
        .features = "scatter",
        .definition = fmt::format("scattering of each channel by Kymatio's filters J={} L={}, ln(S/mean + {}) of orders 1 and 2, "
                                  "means of 2x2 quadrants, {} principal axes of the reference over 8*sqrt(v + {}*v_1)",
                                  J, kAngles, kLogOffset, kAxes, kSoftening),
        .sha256 = {},
        .resize = reduces ? fmt::format("{}x{}, bicubic, antialiased", size.height, size.width) : "none",
        .range = "8 bits as 0 ... 1",
        .pictures = format,
        .dimension = kAxes};
}

// Resizes bytes [n, C, H, W] as data sets do it.
at::Tensor resized(const at::Tensor& bytes, const Size& size) {
    if (bytes.size(2) == size.height && bytes.size(3) == size.width) return bytes;
    const at::Tensor hwc = bytes.permute({0, 2, 3, 1}).contiguous();
    const at::Tensor out = at::empty({bytes.size(0), size.height, size.width, bytes.size(1)}, at::kByte);
    Image image = make_image(static_cast<int>(bytes.size(3)), static_cast<int>(bytes.size(2)), static_cast<int>(bytes.size(1)));
    for (int64_t i = 0; i < bytes.size(0); ++i) {
        std::copy_n(hwc[i].const_data_ptr<uint8_t>(), image.pixels.size(), image.pixels.begin());
        const Image small = resize(image, static_cast<int>(size.width), static_cast<int>(size.height));
        std::copy(small.pixels.begin(), small.pixels.end(), out[i].mutable_data_ptr<uint8_t>());
    }
    return out.permute({0, 3, 1, 2});
}

// Log-scattering. A raw feature is the scattering S of each channel, [C, paths, rows, columns] flattened. From it follow
//     z = ln(S/m + 0.1) for orders 1 and 2 and S for order 0, averaged over each quadrant, with m the mean of the path over the
// reference, and the feature (z − mean z)·V/(8·√(λ + 0.01·λ_1)) along the 64 axes V of the largest variances λ of the reference.
// The 8 is √64, so that the variances of the reference add up to 1 at most.
class ScatterFeatures : public Features {
public:
    ScatterFeatures(const PictureFormat& format, c10::Device device)
        : Features(scatter_protocol(format)),
          size_(scattered_size(format)),
          device_(device),
          scattering_(size_.height, size_.width, scales_of(size_), kAngles, at::TensorOptions(device).dtype(at::kFloat)) {}

    bool is_fitted() const override { return true; }
    FeatureTransform fit(const at::Tensor& raw) const override;
    at::Tensor transformed(const at::Tensor& raw, const FeatureTransform& transform) const override;

private:
    at::Tensor compute(const at::Tensor& bytes) const override;
    // [N, D_raw] → [N, C, paths, rows, columns]
    at::Tensor unflattened(const at::Tensor& raw) const {
        return raw.view(
            {raw.size(0), protocol().pictures.channels, scattering_.paths(), scattering_.rows(), scattering_.columns()});
    }
    // Takes raw features [N, D_raw] and m [C, paths] and returns z, [N, C·paths·4].
    at::Tensor logarithms(const at::Tensor& raw, const at::Tensor& m) const;

    Size size_;
    c10::Device device_;
    Scattering scattering_;
};

at::Tensor ScatterFeatures::compute(const at::Tensor& bytes) const {
    const at::Tensor small = resized(bytes, size_);
    const at::Tensor planes = small.reshape({-1, size_.height, size_.width});
    const int64_t count = planes.size(0);
    const at::Tensor out = at::empty({count, scattering_.paths(), scattering_.rows(), scattering_.columns()}, at::kFloat);
    const int64_t together = device_.is_cpu() ? kPlanes : 16 * kPlanes;
    for (int64_t first = 0; first < count; first += together) {
        const int64_t last = std::min(first + together, count);
        out.slice(0, first, last).copy_(scattering_(planes.slice(0, first, last).to(device_, at::kFloat).div_(255)));
    }
    return out.unflatten(0, {bytes.size(0), bytes.size(1)}).flatten(1);
}

at::Tensor ScatterFeatures::logarithms(const at::Tensor& raw, const at::Tensor& m) const {
    const at::Tensor divisor = m.to(at::kFloat).unsqueeze(-1).unsqueeze(-1);
    std::vector<at::Tensor> blocks;
    for (int64_t first = 0; first < raw.size(0); first += kBlock) {
        at::Tensor S = unflattened(raw.slice(0, first, std::min(first + kBlock, raw.size(0))));
        const at::Tensor logs = (S.slice(2, 1) / divisor.slice(1, 1)).add_(kLogOffset).log_();
        S = at::cat({S.slice(2, 0, 1), logs}, 2).flatten(1, 2);
        blocks.push_back(at::adaptive_avg_pool2d(S, {2, 2}).flatten(1));
    }
    return blocks.empty() ? at::empty({0, m.numel() * kQuadrants}, at::kFloat) : at::cat(blocks);
}

FeatureTransform ScatterFeatures::fit(const at::Tensor& raw) const {
    const c10::InferenceMode no_gradients;
    const int64_t n = raw.size(0);
    if (n < 2) user_error(fmt::format("features: a reference of {}; scatter needs at least 2 pictures", plural(n, "picture")));
    const at::Tensor m = unflattened(raw).mean(at::IntArrayRef{0, 3, 4}, false, at::kDouble).clamp_min(kLeastMean);
    const at::Tensor z = logarithms(raw, m), centre = z.mean(0, false, at::kDouble);
    at::Tensor covariance = at::zeros({z.size(1), z.size(1)}, at::kDouble);
    for (int64_t first = 0; first < n; first += kBlock) {
        const at::Tensor off = z.slice(0, first, std::min(first + kBlock, n)).to(at::kDouble) - centre;
        covariance.addmm_(off.t(), off);
    }
    const auto [ascending, vectors] = at::linalg_eigh(covariance.div_(n - 1));
    const at::Tensor variances = ascending.flip({0});
    const double largest = variances[0].item<double>();
    if (!(largest > 1e-12)) user_error("features: all pictures of the reference are the same; expected pictures that differ");
    const int64_t kept = std::min({kAxes, n - 1, variances.gt(kLeastVariance * largest).sum().item<int64_t>()});
    const at::Tensor scale = std::sqrt(static_cast<double>(kAxes)) * (variances.slice(0, 0, kept) + kSoftening * largest).sqrt();
    return {{"mean_of_path", m}, {"centre", centre}, {"axes", vectors.flip({1}).slice(1, 0, kept) / scale}};
}

at::Tensor ScatterFeatures::transformed(const at::Tensor& raw, const FeatureTransform& transform) const {
    const c10::InferenceMode no_gradients;
    const int64_t channels = protocol().pictures.channels, paths = scattering_.paths(), D = channels * paths * kQuadrants;
    const auto part = [&](const char* name, int64_t rows, int64_t dimensions) {
        const auto found = transform.find(name);
        if (found == transform.end() || found->second.dim() != dimensions || found->second.size(0) != rows)
            user_error(
                fmt::format("features: the transform has no \"{}\" for the scatter features of these pictures; fit it to the "
                            "reference anew",
                            name));
        return found->second;
    };
    const at::Tensor m = part("mean_of_path", channels, 2), centre = part("centre", D, 1), axes = part("axes", D, 2);
    if (m.size(1) != paths) user_error("features: the transform is of other scatter features; fit it to the reference anew");
    const at::Tensor z = logarithms(raw, m), out = at::empty({raw.size(0), axes.size(1)}, at::kFloat);
    for (int64_t first = 0; first < raw.size(0); first += kBlock) {
        const int64_t last = std::min(first + kBlock, raw.size(0));
        out.slice(0, first, last).copy_(at::matmul(z.slice(0, first, last).to(at::kDouble) - centre, axes));
    }
    return out;
}

}  // namespace

std::unique_ptr<Features> make_scatter_features(const PictureFormat& format, c10::Device device,
                                                const std::filesystem::path& /*file*/) {
    return std::make_unique<ScatterFeatures>(format, device);
}

}  // namespace ddpm::eval
