#include "eval/scattering.h"

#include <array>
#include <cmath>
#include <numbers>
#include <utility>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace ddpm::eval {
namespace {

constexpr int64_t kAngles = 6;

// u(s, i, j) in [0, 1), by splitmix64 (Steele, Lea and Flood 2014).
double u(uint64_t s, uint64_t i, uint64_t j) {
    uint64_t z = (s << 40) + (i << 20) + j + 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    z ^= z >> 31;
    return static_cast<double>(z >> 48) / 65536;
}

// [1, height, width] float64
at::Tensor random_picture(uint64_t seed, int64_t height, int64_t width) {
    const at::Tensor x = at::empty({1, height, width}, at::kDouble);
    for (int64_t i = 0; i < height; ++i)
        for (int64_t j = 0; j < width; ++j)
            x.mutable_data_ptr<double>()[i * width + j] = u(seed, static_cast<uint64_t>(i), static_cast<uint64_t>(j));
    return x;
}

// Returns a + b·cos of the phase y·at_y + x·at_x, [1, 32, 32] float64.
at::Tensor wave(double at_y, double at_x) {
    const at::Tensor side = at::arange(32, at::kDouble);
    return (0.5 + 0.4 * (side.unsqueeze(1) * at_y + side.unsqueeze(0) * at_x).cos()).unsqueeze(0);
}

Scattering scattering(int64_t height, int64_t width, int64_t J, at::ScalarType dtype = at::kDouble) {
    return {height, width, J, kAngles, at::TensorOptions(dtype)};
}

double norm_of(const at::Tensor& x) { return x.norm().item<double>(); }
double sum_of(const at::Tensor& x) { return x.sum().item<double>(); }

// The numbers of Kymatio 0.3.0 with PyTorch, in float32.
TEST(Scattering, IsKymatios) {
    const at::Tensor x = random_picture(4, 16, 16);
    for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
        const at::Tensor S = scattering(16, 16, 2, dtype)(x.to(dtype)).to(at::kDouble).squeeze(0);
        ASSERT_EQ(S.sizes(), (std::vector<int64_t>{49, 4, 4}));
        EXPECT_NEAR(S[0][0][0].item<double>(), 0.51528585, 2e-7);
        EXPECT_NEAR(sum_of(S.slice(0, 1, 13)), 10.347547, 4e-6);
        EXPECT_NEAR(sum_of(S.slice(0, 13)), 4.1085441, 2e-6);
        // Single paths: scale 0 with angle 0, scale 1 with angle 5, and of the second order the first and the last.
        EXPECT_NEAR(sum_of(S[1]), 1.1900647, 2e-6);
        EXPECT_NEAR(sum_of(S[12]), 0.56123954, 2e-6);
        EXPECT_NEAR(sum_of(S[13]), 0.10197493, 1e-6);
        EXPECT_NEAR(sum_of(S[48]), 0.14893956, 1e-6);
    }
}

TEST(Scattering, IsKymatiosOfOtherSizesAndScales) {
    const auto check = [](int64_t height, int64_t width, int64_t J, std::vector<int64_t> shape, std::array<double, 5> expected) {
        const at::Tensor S = scattering(height, width, J)(random_picture(5, height, width)).squeeze(0);
        ASSERT_EQ(S.sizes(), shape);
        const int64_t second = 1 + J * kAngles;
        EXPECT_NEAR(S[0][0][0].item<double>(), expected[0], 3e-7);
        EXPECT_NEAR(sum_of(S.slice(0, 1, second)), expected[1], 2e-5);
        EXPECT_NEAR(sum_of(S.slice(0, second)), expected[2], 2e-5);
        EXPECT_NEAR(sum_of(S[second + kAngles]), expected[3], 2e-6);  // of J = 3: j1 = 0, its first angle, the first of j2 = 2
        EXPECT_NEAR(sum_of(S[-1]), expected[4], 2e-6);
    };
    check(32, 32, 3, {127, 4, 4}, {0.53755957, 11.750168, 9.0162644, 0.07216859, 0.061680729});
    check(20, 31, 2, {49, 5, 7}, {0.58672059, 21.512272, 8.6484533, 0.22464971, 0.24755848});
    check(8, 11, 2, {49, 2, 2}, {0.58642137, 2.3655813, 1.0358448, 0.019029581, 0.035587471});
}

TEST(Scattering, APictureWithoutStructureHasNone) {
    const at::Tensor S = scattering(32, 32, 3)(at::full({1, 32, 32}, 0.3, at::kDouble)).squeeze(0);
    EXPECT_NEAR(S[0].min().item<double>(), 0.3, 1e-5);
    EXPECT_NEAR(S[0].max().item<double>(), 0.3, 1e-5);
    EXPECT_LT(S.slice(0, 1).abs().max().item<double>(), 1e-12);
}

TEST(Scattering, AWaveIsLargestInItsOwnPath) {
    const Scattering transform = scattering(32, 32, 2);
    for (int64_t j = 0; j < 2; ++j)
        for (int64_t l = 0; l < kAngles; ++l) {
            const double angle = static_cast<double>(2 - l) * std::numbers::pi / 6, xi = 0.75 * std::numbers::pi * std::exp2(-j);
            const at::Tensor S = transform(wave(xi * std::cos(angle), xi * std::sin(angle))).squeeze(0);
            const at::Tensor sizes = S.slice(0, 1, 13).mean(at::IntArrayRef{1, 2});
            EXPECT_EQ(sizes.argmax().item<int64_t>(), j * kAngles + l);
        }
}

// The filters form a frame with the bound 1 (a sum over their squared spectra), so no energy is added: 4^J·ΣS² ≤ Σx². The pictures
// are 0 beside the edges, so that nothing is reflected.
TEST(Scattering, AddsNoEnergy) {
    const Scattering transform = scattering(32, 32, 2);
    for (uint64_t seed = 0; seed < 8; ++seed) {
        at::Tensor x = at::zeros({1, 32, 32}, at::kDouble);
        at::Tensor inside = random_picture(seed, 16, 16);
        if (seed % 2 == 1) inside = inside.gt(0.5).to(at::kDouble);
        x.slice(1, 8, 24).slice(2, 8, 24).copy_(inside);
        const double ratio = 16 * transform(x).square().sum().item<double>() / x.square().sum().item<double>();
        EXPECT_LT(ratio, 1);
        EXPECT_GT(ratio, 0.5) << "most of it is kept";
    }
}

// A textured spot that moves by a pixel is another picture, but has much the same scattering; more so with more scales.
TEST(Scattering, ChangesLittleWithATranslation) {
    const auto spot = [](double at_x) {
        const at::Tensor side = at::arange(32, at::kDouble), y = side.unsqueeze(1) - 15.5, x = side.unsqueeze(0) - at_x;
        return (0.5 + 0.5 * (-(y.square() + x.square()) / 8).exp() * (1.2 * x).cos()).unsqueeze(0);
    };
    const at::Tensor here = spot(14.5), there = spot(15.5);
    EXPECT_GT(norm_of(here - there) / norm_of(here - here.mean()), 0.5);
    for (const auto& [J, most] : {std::pair<int64_t, double>{2, 0.25}, {3, 0.14}}) {
        const at::Tensor a = scattering(32, 32, J)(here).slice(1, 1), b = scattering(32, 32, J)(there).slice(1, 1);
        EXPECT_LT(norm_of(a - b) / norm_of(a), most) << J;
    }
}

}  // namespace
}  // namespace ddpm::eval
