#include "ddpm/eval/moments.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "eval/check_values.h"
#include "support/errors.h"

namespace ddpm {
namespace {

Moments moments_of(const at::Tensor& x) {
    Moments moments;
    moments.add(x);
    return moments;
}

double largest(const at::Tensor& x) { return x.abs().max().item<double>(); }

void expect_same(const GaussianFit& one, const GaussianFit& other, double tolerance) {
    EXPECT_LT(largest(one.mean - other.mean), tolerance);
    EXPECT_LT(largest(one.covariance - other.covariance), tolerance);
}

TEST(Moments, AreTheMeanAndTheUnbiasedCovariance) {
    const at::Tensor A = check_A();
    const GaussianFit fit = moments_of(A).fit();
    EXPECT_NEAR(A[0][0].item<double>(), 0.124465942383, 1e-12);
    EXPECT_NEAR(fit.covariance.trace().item<double>(), 1.479656014798, 1e-12);
    EXPECT_NEAR(moments_of(check_B()).fit().covariance.trace().item<double>(), 1.468061758376, 1e-12);
    expect_same(fit, {A.mean(0), at::cov(A.t())}, 1e-14);
    expect_same(moments_of(A.to(at::kFloat)).fit(), fit, 1e-15);
}

// More rows than a block has, in batches that do not end where blocks do.
TEST(Moments, DoNotDependOnBatches) {
    const at::Tensor x = normal_rows(2600, 5, 1) + 3;
    Moments parts;
    int64_t first = 0;
    for (const int64_t rows : {1, 1, 700, 1500, 398}) {
        parts.add(x.slice(0, first, first + rows));
        first += rows;
    }
    EXPECT_EQ(parts.count(), 2600);
    expect_same(parts.fit(), moments_of(x).fit(), 1e-12);
    expect_same(parts.fit(), {x.mean(0), at::cov(x.t())}, 1e-12);
}

TEST(Moments, MergeToThoseOfTheWhole) {
    const at::Tensor x = normal_rows(300, 6, 2) * 0.1 + at::arange(6, at::kDouble);
    Moments merged;
    merged.merge(moments_of(x.slice(0, 0, 10)));  // into one that is empty
    const Moments copy = merged;
    merged.merge(moments_of(x.slice(0, 10, 11)));  // one row
    merged.merge(Moments());
    Moments rest = moments_of(x.slice(0, 11, 150));
    rest.add(x.slice(0, 150, 290));
    merged.merge(rest);
    merged.add(x.slice(0, 290));
    EXPECT_EQ(merged.count(), 300);
    expect_same(merged.fit(), moments_of(x).fit(), 1e-13);
    expect_same(copy.fit(), moments_of(x.slice(0, 0, 10)).fit(), 1e-13);
}

// Sums of float32 would be off by −0.108 of 0.151.
TEST(Moments, KeepFloat32FarFromZero) {
    const at::Tensor A = (check_A() + 1000).to(at::kFloat), B = (check_B() + 1000).to(at::kFloat);
    EXPECT_NEAR(frechet_distance(moments_of(A).fit(), moments_of(B).fit()), 0.15129870110704813, 1e-10) << "numpy, float64";
}

TEST(Moments, RefuseWhatTheyCannotUse) {
    at::Tensor x = normal_rows(4, 3, 3);
    Moments moments = moments_of(x.slice(0, 0, 1));
    EXPECT_SAYS(error_of([&] { moments.fit(); }), "at least 2 pictures, but there are 1");
    EXPECT_SAYS(error_of([&] { Moments().fit(); }), "but there are 0");
    EXPECT_SAYS(error_of([&] { moments.add(normal_rows(4, 2, 3)); }), "2 columns, but those before them have 3");
    EXPECT_SAYS(error_of([&] { moments.merge(moments_of(normal_rows(4, 2, 3))); }), "2 columns, but those before them have 3");
    EXPECT_SAYS(error_of([&] { moments.add(at::ones({3})); }), "[N, D]");
    EXPECT_SAYS(error_of([&] { moments.add(at::ones({3, 3}, at::kLong)); }), "[N, D]");
    x[2][1] = std::numeric_limits<double>::infinity();
    EXPECT_SAYS(error_of([&] { moments.add(x); }), "row 2 (counted from 0) holds a number that is not finite");
    EXPECT_EQ(moments.count(), 1) << "nothing of a refused batch stays";
}

}  // namespace
}  // namespace ddpm
