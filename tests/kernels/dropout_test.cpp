#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "ddpm/kernels/noise.h"

namespace ddpm {
namespace {

constexpr int64_t kLayer = 3;

at::Tensor images(int64_t count, int64_t channels, int64_t side) { return at::empty({count, channels, side, side}); }

// The probability within 6 deviations, for the smallest and largest of it too.
TEST(DropoutMask, KeepsAsOftenAsItShould) {
    const at::Tensor seeds = at::tensor({5, 6}, at::kLong), x = images(2, 64, 32);
    const auto numbers = static_cast<double>(x.numel());
    for (const double p : {0.0, 0.01, 0.1, 0.5, 0.9}) {
        const double kept = dropout_mask(x, p, seeds, kLayer).sum().item<double>();
        EXPECT_NEAR(kept / numbers, 1 - p, 6 * std::sqrt(p * (1 - p) / numbers)) << p;
    }
}

// An example's mask is its own: in any batch, at any place, in any memory format, for sizes that are and aren't whole blocks.
TEST(DropoutMask, FollowsFromTheSeedOfTheExample) {
    for (const auto& [channels, side] : {std::pair<int64_t, int64_t>{8, 4}, {3, 5}, {1, 1}}) {
        const at::Tensor seeds = at::tensor(std::vector<int64_t>{-7, 1, int64_t{1} << 40}), x = images(3, channels, side);
        const at::Tensor masks = dropout_mask(x, 0.5, seeds, kLayer);
        EXPECT_TRUE(at::equal(dropout_mask(x.contiguous(at::MemoryFormat::ChannelsLast), 0.5, seeds, kLayer), masks));
        for (int64_t n = 0; n < 3; ++n)
            EXPECT_TRUE(at::equal(dropout_mask(images(1, channels, side), 0.5, seeds.slice(0, n, n + 1), kLayer)[0], masks[n]))
                << n;
    }
}

// Masks of other examples and of other layers have nothing in common: half of the numbers agree, within 6 deviations.
TEST(DropoutMask, DiffersFromExampleToExampleAndFromLayerToLayer) {
    const at::Tensor seeds = at::tensor({1, 2, 3}, at::kLong), x = images(3, 16, 16);
    const auto agreement = [](const at::Tensor& a, const at::Tensor& b) { return (a == b).to(at::kDouble).mean().item<double>(); };
    const double bound = 6 * std::sqrt(0.25 / (16 * 16 * 16));
    const at::Tensor masks = dropout_mask(x, 0.5, seeds, kLayer), other = dropout_mask(x, 0.5, seeds, kLayer + 1);
    for (int64_t n = 0; n < 3; ++n) {
        EXPECT_NEAR(agreement(masks[n], masks[(n + 1) % 3]), 0.5, bound);
        EXPECT_NEAR(agreement(masks[n], other[n]), 0.5, bound);
    }
}

}  // namespace
}  // namespace ddpm
