#include "ddpm/eval/picture_law.h"

#include <algorithm>
#include <limits>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

namespace ddpm {

namespace {

constexpr int64_t kRestSide = 4, kPatchSide = 3;

bool is_finite(const at::Tensor& x) { return at::isfinite(x).all().item<bool>(); }

// Averages blocks of 2×2. An odd side ends with a block of what is left.
at::Tensor halved(const at::Tensor& x) {
    return at::avg_pool2d(x, {2, 2}, {2, 2}, {0, 0}, /*ceil_mode=*/true, /*count_include_pad=*/false);
}

// Repeats each pixel 2×2 times and cuts the result to the size of `like`.
at::Tensor doubled(const at::Tensor& x, const at::Tensor& like) {
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3).slice(2, 0, like.size(2)).slice(3, 0, like.size(3));
}

// [N,C,H,W] → [points, C·k·k], the patches at all positions.
at::Tensor patches_of(const at::Tensor& x) {
    const at::Tensor patches =
        x.unfold(2, std::min(kPatchSide, x.size(2)), 1).unfold(3, std::min(kPatchSide, x.size(3)), 1);  // [N,C,Y,X,k,k]
    return patches.permute({0, 2, 3, 1, 4, 5}).flatten(3).flatten(0, 2);
}

}  // namespace

void PictureLaw::add(const at::Tensor& pictures) {
    const c10::InferenceMode no_gradients;
    // One picture after the other: its patches take nine times its memory.
    for (int64_t i = 0; i < pictures.size(0); ++i) {
        at::Tensor x = pictures.slice(0, i, i + 1).to(at::kCPU, at::kDouble);
        size_t part = 0;
        while (std::max(x.size(2), x.size(3)) > kRestSide) {
            const at::Tensor smaller = halved(x);
            add_points(part++, patches_of(x - doubled(smaller, x)));
            x = smaller;
        }
        add_points(part, x.flatten(1));
        ++pictures_;
    }
}

void PictureLaw::add_points(size_t part, const at::Tensor& points) {
    if (parts_.size() <= part) parts_.resize(part + 1);
    Sums& sums = parts_[part];
    const at::Tensor sum = points.sum(0), products = at::matmul(points.t(), points);
    sums.points += static_cast<double>(points.size(0));
    sums.sum = sums.sum.defined() ? sums.sum + sum : sum;
    sums.products = sums.products.defined() ? sums.products + products : products;
}

bool PictureLaw::finite() const {
    return std::all_of(parts_.begin(), parts_.end(), [](const Sums& sums) { return is_finite(sums.products); });
}

std::vector<GaussianFit> PictureLaw::fits() const {
    std::vector<GaussianFit> fits;
    for (const Sums& sums : parts_) {
        const at::Tensor mean = sums.sum / sums.points;
        fits.push_back({mean, sums.products / sums.points - at::outer(mean, mean)});
    }
    return fits;
}

double law_distance(const PictureLaw& one, const PictureLaw& other) {
    if (one.pictures() == 0 || other.pictures() == 0) return std::numeric_limits<double>::quiet_NaN();
    const c10::InferenceMode no_gradients;
    const std::vector<GaussianFit> a = one.fits(), b = other.fits();
    double distance = 0;
    for (size_t part = 0; part < a.size(); ++part)
        distance += frechet_distance(a[part], b.at(part)) / static_cast<double>(a[part].mean.size(0));
    return distance;
}

}  // namespace ddpm
