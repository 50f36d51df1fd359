#include "eval/blocks.h"

#include <limits>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"

namespace ddpm::eval {

void check_features(const at::Tensor& x, int64_t at_least, const std::string& name) {
    if (!x.defined() || x.dim() != 2 || !x.is_floating_point() || x.size(1) < 1)
        user_error(fmt::format("{}: expected a matrix of floating numbers with a row for each picture, [N, D]", name));
    if (x.size(0) < at_least)
        user_error(fmt::format("{}: there are {} rows, but at least {} are needed; take more pictures", name, x.size(0), at_least));
    for (int64_t first = 0; first < x.size(0); first += kBlockRows) {
        const at::Tensor sound = at::isfinite(x.slice(0, first, first + kBlockRows)).all(1);
        if (sound.all().item<bool>()) continue;
        const int64_t row = first + sound.logical_not().nonzero()[0].item<int64_t>();
        user_error(fmt::format("{}: row {} (counted from 0) holds a number that is not finite; look at that picture", name, row));
    }
}

void check_pair(const at::Tensor& reference, int64_t reference_at_least, const at::Tensor& features, int64_t at_least) {
    check_features(reference, reference_at_least, "the reference's features");
    check_features(features, at_least, "the samples' features");
    if (features.size(1) != reference.size(1))
        user_error(
            fmt::format("the samples' features have {} columns, but the reference's have {}; take both from the same extractor",
                        features.size(1), reference.size(1)));
}

at::Tensor block_at(const at::Tensor& x, int64_t first) { return x.slice(0, first, first + kBlockRows).to(at::kCPU, at::kDouble); }

at::Tensor squared_distances(const at::Tensor& x, const at::Tensor& y) {
    const at::Tensor lengths = x.square().sum(1, /*keepdim=*/true) + y.square().sum(1);
    const double rounding = std::numeric_limits<double>::epsilon() * static_cast<double>(x.size(1));
    at::Tensor distances = at::addmm(lengths, x, y.t(), 1, -2);
    return distances.masked_fill_(distances <= rounding * lengths, 0);
}

}  // namespace ddpm::eval
