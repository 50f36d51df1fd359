#include "ddpm/eval/picture_law.h"

#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace ddpm {
namespace {

at::Tensor matrix(const std::vector<double>& values, int64_t side) { return at::tensor(values, at::kDouble).view({side, side}); }

GaussianFit on_a_line(double mean, double deviation) {
    return {at::full({1}, mean, at::kDouble), at::full({1, 1}, deviation * deviation, at::kDouble)};
}

// Pictures that follow from a formula, [n,3,h,w].
at::Tensor waves(int64_t n, int64_t h, int64_t w, double a) {
    at::Tensor x = at::empty({n, 3, h, w}, at::kDouble);
    for (int64_t i = 0; i < n; ++i)
        for (int64_t c = 0; c < 3; ++c)
            for (int64_t y = 0; y < h; ++y)
                for (int64_t z = 0; z < w; ++z)
                    x[i][c][y][z] = 0.8 * std::sin(a * static_cast<double>((1 + i) * (y + 1)) +
                                                   1.3 * static_cast<double>((c + 1) * (z + 1)) + 0.7 * static_cast<double>(i * c));
    return x;
}

PictureLaw law_of(const at::Tensor& pictures) {
    PictureLaw law;
    law.add(pictures);
    return law;
}

TEST(FrechetDistance, ClosedForms) {
    EXPECT_NEAR(frechet_distance(on_a_line(1, 2), on_a_line(-2, 0.5)), 9 + 2.25, 1e-12);
    EXPECT_NEAR(frechet_distance(on_a_line(0, 0), on_a_line(0, 3)), 9, 1e-12) << "a point has no inverse";
    const GaussianFit one{at::tensor({1.0, 2.0}, at::kDouble), matrix({2, 0.5, 0.5, 1}, 2)},
        other{at::tensor({0.0, -1.0}, at::kDouble), matrix({1, -0.3, -0.3, 3}, 2)};
    EXPECT_NEAR(frechet_distance(one, other), 10.929311854967773, 1e-12) << "by numpy: the covariances do not commute";
    EXPECT_NEAR(frechet_distance(other, one), 10.929311854967773, 1e-12);
    // Axes turned together change nothing; of points along different axes nothing is shared.
    const GaussianFit along_x{one.mean, matrix({4, 0, 0, 0}, 2)}, along_y{one.mean, matrix({0, 0, 0, 9}, 2)};
    EXPECT_NEAR(frechet_distance(along_x, along_y), 13, 1e-12);
}

TEST(FrechetDistance, OfEqualOnesIsZeroAlsoWithoutAnInverse) {
    const at::Tensor thin = at::arange(40, at::kDouble).view({4, 10}).sin();
    const GaussianFit singular{at::ones({10}, at::kDouble), at::matmul(thin.t(), thin)};
    EXPECT_LT(frechet_distance(singular, singular), 1e-13);
}

TEST(FrechetDistance, OfWhatIsNotFiniteIsNaN) {
    EXPECT_TRUE(std::isnan(frechet_distance(on_a_line(std::nan(""), 1), on_a_line(0, 1))));
    EXPECT_TRUE(std::isnan(frechet_distance(on_a_line(0, 1), on_a_line(0, std::numeric_limits<double>::infinity()))));
}

// numpy's numbers, from patches that are cut out one by one and the formula with the matrix root.
TEST(PictureLaw, IsWhatTheDefinitionSays) {
    EXPECT_NEAR(law_distance(law_of(waves(12, 9, 14, 0.37)), law_of(waves(10, 9, 14, 0.52))), 0.0150564651135, 1e-8);
    EXPECT_NEAR(law_distance(law_of(waves(12, 16, 16, 0.37)), law_of(waves(10, 16, 16, 0.52))), 0.00863611294691, 1e-8);
    EXPECT_NEAR(law_distance(law_of(waves(12, 3, 2, 0.37)), law_of(waves(10, 3, 2, 0.52))), 0.113493080551, 1e-8);
}

TEST(PictureLaw, HasABandForEachHalving) {
    const auto sizes = [](int64_t h, int64_t w) {
        std::vector<int64_t> sizes;
        for (const GaussianFit& fit : law_of(waves(2, h, w, 0.5)).fits()) sizes.push_back(fit.mean.size(0));
        return sizes;
    };
    EXPECT_EQ(sizes(32, 32), (std::vector<int64_t>{27, 27, 27, 48}));
    EXPECT_EQ(sizes(9, 14), (std::vector<int64_t>{27, 27, 36}));
    EXPECT_EQ(sizes(1, 5), (std::vector<int64_t>{9, 9})) << "patches of 1×3, a rest of 1×3";
    EXPECT_EQ(sizes(4, 4), (std::vector<int64_t>{48}));
}

TEST(PictureLaw, OfOneSetIsAtNoDistanceFromItself) {
    const at::Tensor pictures = waves(6, 8, 8, 0.3);
    EXPECT_LT(law_distance(law_of(pictures), law_of(pictures)), 1e-13);
    EXPECT_LT(law_distance(law_of(pictures), law_of(pictures.flip({0}))), 1e-13) << "in any order";
}

TEST(PictureLaw, AShiftByDIsAtDSquared) {
    for (const auto& [h, w] : {std::pair<int64_t, int64_t>(8, 8), {7, 10}, {3, 3}}) {
        const at::Tensor pictures = waves(5, h, w, 0.3);
        EXPECT_NEAR(law_distance(law_of(pictures), law_of(pictures + 0.25)), 0.0625, 1e-9);
    }
}

// With all numbers times s, mean and deviation of every part are: (1 − s)²·(|m|² + tr C).
TEST(PictureLaw, AScaleMovesMeanAndDeviation) {
    const at::Tensor pictures = waves(5, 8, 8, 0.3) + 0.1;
    const PictureLaw law = law_of(pictures);
    double expected = 0;
    for (const GaussianFit& fit : law.fits())
        expected +=
            0.16 * (fit.mean.square().sum() + fit.covariance.trace()).item<double>() / static_cast<double>(fit.mean.size(0));
    EXPECT_NEAR(law_distance(law, law_of(0.6 * pictures)), expected, 1e-9);
}

TEST(PictureLaw, DoesNotDependOnBatches) {
    const at::Tensor pictures = waves(7, 8, 8, 0.3).to(at::kFloat);
    PictureLaw parts;
    parts.add(pictures.slice(0, 0, 3));
    parts.add(pictures.slice(0, 3));
    EXPECT_EQ(parts.pictures(), 7);
    EXPECT_LT(law_distance(parts, law_of(pictures)), 1e-13);
}

TEST(PictureLaw, SaysWhatIsNotFiniteAndWhatIsEmpty) {
    at::Tensor pictures = waves(3, 8, 8, 0.3);
    const PictureLaw sound = law_of(pictures);
    EXPECT_TRUE(sound.finite());
    pictures[1][2][3][4] = std::nan("");
    const PictureLaw broken = law_of(pictures);
    EXPECT_FALSE(broken.finite());
    EXPECT_TRUE(std::isnan(law_distance(sound, broken)));
    EXPECT_TRUE(std::isnan(law_distance(PictureLaw(), sound)));
}

}  // namespace
}  // namespace ddpm
