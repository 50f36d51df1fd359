#include "ddpm/eval/feature_frechet.h"

#include <cmath>

#include <gtest/gtest.h>

#include "ddpm/eval/moments.h"
#include "eval/check_values.h"
#include "support/errors.h"

namespace ddpm {
namespace {

// The same features beside 200 columns of zeros: there are fewer rows than columns, and distances are the same.
at::Tensor widened(const at::Tensor& x) { return at::constant_pad_nd(x, {0, 200}); }

// pytorch-fid 0.3.0 and torch-fidelity 0.4.0 give the first; the others are numpy's.
TEST(FeatureFrechet, HasTheValuesOfOtherPackages) {
    const at::Tensor A = check_A(), B = check_B();
    EXPECT_NEAR(frechet_distance(A, B), 0.15129880683, 1e-11);
    EXPECT_NEAR(frechet_distance(A.to(at::kFloat), B.to(at::kFloat)), 0.15129880683, 1e-11);
    EXPECT_NEAR(frechet_distance(A, B.slice(0, 0, 150)), 0.167914288896, 1e-11);
    EXPECT_NEAR(frechet_distance(A, A.slice(0, 0, 5)), 1.05344646786, 1e-11)
        << "5 rows of 8 columns: covariances without an inverse";
    const at::Tensor a = A - A.mean(0), b = B - B.mean(0);
    EXPECT_NEAR(
        frechet_distance(GaussianFit{A.mean(0), at::matmul(a.t(), a) / 200}, GaussianFit{B.mean(0), at::matmul(b.t(), b) / 200}),
        0.151063195704, 1e-11)
        << "divisor N";
}

TEST(FeatureFrechet, IsExactForFewerRowsThanColumns) {
    const at::Tensor A = check_A(), B = check_B();
    EXPECT_NEAR(frechet_distance(widened(A), widened(A.slice(0, 0, 5))), 1.05344646786, 1e-11);
    EXPECT_NEAR(frechet_distance(widened(A.slice(0, 0, 60)), widened(B.slice(0, 0, 40))), 0.3976624370095787, 1e-12);
    EXPECT_NEAR(frechet_distance(A.slice(0, 0, 60), B.slice(0, 0, 40)), 0.3976624370095787, 1e-12);
    const at::Tensor x = normal_rows(30, 50, 1);
    EXPECT_EQ(fit_features(x).W.sizes(), (std::vector<int64_t>{50, 30}));
    Moments moments;
    moments.add(x);
    EXPECT_NEAR(frechet_distance(fit_features(x), factor_of(moments.fit())), 0, 1e-12) << "rows and covariance are one law";
    EXPECT_LE(factor_of(moments.fit()).W.size(1), 29) << "rounding makes no direction";
}

TEST(FeatureFrechet, KnowsTheSameAndTheShifted) {
    for (const at::Tensor& x : {check_A(), normal_rows(20, 40, 2)}) {
        const at::Tensor shift = at::linspace(-1, 2, x.size(1), at::kDouble);
        EXPECT_LT(frechet_distance(x, x), 1e-12);
        EXPECT_GE(frechet_distance(x, x), 0);
        EXPECT_LT(frechet_distance(x, x.flip({0})), 1e-12) << "in any order";
        EXPECT_NEAR(frechet_distance(x, x + shift), shift.square().sum().item<double>(), 1e-11);
        EXPECT_NEAR(frechet_distance(x, at::zeros_like(x)), (x.mean(0).square().sum() + x.var(0).sum()).item<double>(), 1e-11);
    }
}

TEST(FeatureFrechet, DoesNotDependOnTheAxes) {
    const at::Tensor A = check_A(), B = check_B(), turn = some_rotation(8);
    EXPECT_NEAR(frechet_distance(at::matmul(A, turn), at::matmul(B, turn)), 0.15129880683, 1e-11);
    EXPECT_NEAR(frechet_distance(B, A), 0.15129880683, 1e-11) << "symmetric";
}

TEST(FeatureFrechet, JackknifeIsThatOfItsDefinition) {
    const at::Tensor A = check_A(), B = check_B();
    for (const bool wide : {false, true}) {
        const at::Tensor reference = wide ? widened(A) : A, samples = wide ? widened(B) : B;
        const Jackknifed quick = frechet_jackknife(fit_features(reference), samples);
        const Jackknifed plain =
            jackknife(200, [&](const at::Tensor& rows) { return frechet_distance(reference, samples.index_select(0, rows)); });
        EXPECT_NEAR(quick.value, 0.15129880683, 1e-11);
        ASSERT_EQ(quick.without.size(), 10U);
        for (size_t g = 0; g < 10; ++g) EXPECT_NEAR(quick.without[g], plain.without[g], 1e-11);
        EXPECT_GT(quick.sd(), 0.005);
        EXPECT_LT(quick.sd(), 0.05);
    }
}

TEST(FeatureFrechet, GoesToTheDistanceOfEndlesslyMany) {
    const at::Tensor A = check_A(), B = check_B();
    for (const bool wide : {false, true}) {
        const FrechetLimit limit = frechet_limit(fit_features(wide ? widened(A) : A), wide ? widened(B) : B, {50, 100, 150, 200});
        EXPECT_NEAR(limit.limit, 0.116512468493, 1e-10);
        EXPECT_NEAR(limit.slope, 6.883783570379, 1e-8);
        EXPECT_NEAR(limit.distances.at(2), 0.167914288896, 1e-11);
    }
    const std::vector<int64_t> sizes = frechet_limit_sizes(50000);
    EXPECT_EQ(sizes.size(), 15U);
    EXPECT_EQ(sizes.front(), 5000);
    EXPECT_EQ(sizes[1], 8214);
    EXPECT_EQ(sizes.back(), 50000);
    EXPECT_EQ(frechet_limit_sizes(20).at(1), 3);
}

TEST(FeatureFrechet, RefusesWhatItCannotUse) {
    const at::Tensor A = check_A();
    EXPECT_SAYS(error_of([&] { frechet_distance(A, A.slice(0, 0, 1)); }),
                "the samples' features: there are 1 rows, but at least 2");
    EXPECT_SAYS(error_of([&] { frechet_distance(A, A.slice(1, 0, 7)); }), "have 7 columns, but the reference's have 8");
    EXPECT_SAYS(error_of([&] { frechet_jackknife(fit_features(A), A.slice(1, 0, 7)); }),
                "have 7 columns, but the reference's have 8");
    EXPECT_SAYS(error_of([&] { frechet_jackknife(fit_features(A), A.slice(0, 0, 19)); }), "at least 20 pictures, but there are 19");
    EXPECT_SAYS(error_of([&] { frechet_distance(fit_features(A), fit_features(A.slice(1, 0, 7))); }), "8 and 7 columns");
    at::Tensor broken = A.clone();
    broken[199][7] = std::nan("");
    EXPECT_SAYS(error_of([&] { frechet_distance(broken, A); }), "the reference's features: row 199");
    for (const std::vector<int64_t>& sizes : {std::vector<int64_t>{100, 50}, {1, 50}, {50, 201}})
        EXPECT_SAYS(error_of([&] { frechet_limit(fit_features(A), A, sizes); }), "ascend from 2 to the 200 pictures");
    EXPECT_SAYS(error_of([&] { frechet_limit(fit_features(A), A, {50}); }), "at least two sizes");
    EXPECT_SAYS(error_of([] { frechet_limit_sizes(19); }), "at least 20 pictures, but there are 19");
}

}  // namespace
}  // namespace ddpm
