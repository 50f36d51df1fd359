#include "ddpm/eval/kernel_distance.h"

#include <cmath>

#include <gtest/gtest.h>

#include "eval/check_values.h"
#include "support/errors.h"

namespace ddpm {
namespace {

// The definition, without blocks.
double plain(const at::Tensor& xx, const at::Tensor& yy, const at::Tensor& xy) {
    const auto mean_of_others = [](const at::Tensor& k) {
        const double n = static_cast<double>(k.size(0));
        return (k.sum() - k.trace()).item<double>() / (n * (n - 1));
    };
    return mean_of_others(xx) + mean_of_others(yy) - 2 * xy.mean().item<double>();
}

TEST(KernelDistance, IsTheKernelInceptionDistanceOfWholeSets) {
    const at::Tensor A = check_A(), B = check_B();
    const KernelDistance distance(A, polynomial_kernel());
    EXPECT_NEAR(distance.of(B), 0.148585524789, 1e-11);
    EXPECT_NEAR(distance.of(B.slice(0, 0, 150)), 0.188118132026, 1e-11);
    // The numbers of A and B are float32's; float32 all the way would give 0.148585319519.
    EXPECT_NEAR(KernelDistance(A.to(at::kFloat), polynomial_kernel()).of(B.to(at::kFloat)), 0.148585524789, 1e-11);
}

TEST(KernelDistance, WithAGaussianKernelIsThatOfNumpy) {
    const at::Tensor A = check_A(), B = check_B();
    const double median = median_squared_distance(A);
    EXPECT_NEAR(median, 2.831437975193694, 1e-13);
    EXPECT_NEAR(KernelDistance(A, gaussian_kernel(median)).of(B), 0.019194643304295766, 1e-13);
    EXPECT_NEAR(KernelDistance(A, gaussian_kernel(median)).of(B.slice(0, 0, 150)), 0.02384429306389957, 1e-13);
    EXPECT_NEAR(KernelDistance(A, gaussian_kernel(2)).of(B), 0.017833098668781466, 1e-13);
    const at::Tensor turn = some_rotation(8);
    EXPECT_NEAR(KernelDistance(at::matmul(A, turn) + 5, gaussian_kernel(2)).of(at::matmul(B, turn) + 5), 0.017833098668781466,
                1e-12);
}

// N(0, I) and N(δ, I) in D dimensions: E k(x,y) = (1 + 4/s²)^(−D/2)·exp(−|δ|²/(s² + 4)).
TEST(KernelDistance, IsThatOfNormalDistributionsOnAverage) {
    const double base = std::pow(2, -1.5), expected = 2 * base * (1 - std::exp(-3 * 0.36 / 8));
    double sum = 0, same = 0;
    for (uint64_t set = 0; set < 40; set += 4) {
        const KernelDistance distance(normal_rows(400, 3, set), gaussian_kernel(4));
        sum += distance.of(normal_rows(400, 3, set + 1) + 0.6) / 10;
        same += distance.of(normal_rows(400, 3, set + 2)) / 10;
    }
    EXPECT_NEAR(sum, expected, 0.0155) << "four standard errors";
    EXPECT_NEAR(same, 0, 0.0017) << "four standard errors; with the diagonal kept it would be 0.0032";
}

TEST(KernelDistance, BlocksChangeNothing) {
    const at::Tensor x = normal_rows(1500, 4, 50), y = normal_rows(2100, 4, 51) * 1.2;
    const auto gaussian = [](const at::Tensor& a, const at::Tensor& b) { return (-at::cdist(a, b, 2, 2).square() / 3).exp(); };
    EXPECT_NEAR(KernelDistance(x, gaussian_kernel(3)).of(y), plain(gaussian(x, x), gaussian(y, y), gaussian(x, y)), 1e-12);
    const auto polynomial = [](const at::Tensor& a, const at::Tensor& b) { return (at::matmul(a, b.t()) / 4 + 1).pow(3); };
    EXPECT_NEAR(KernelDistance(x, polynomial_kernel()).of(y), plain(polynomial(x, x), polynomial(y, y), polynomial(x, y)), 1e-11);
}

TEST(KernelDistance, JackknifeIsThatOfItsDefinition) {
    const at::Tensor A = check_A(), B = check_B().slice(0, 0, 187);  // groups of 19 and 18
    const KernelDistance distance(A, polynomial_kernel());
    const Jackknifed quick = distance.jackknifed(B);
    const Jackknifed slow = jackknife(187, [&](const at::Tensor& rows) { return distance.of(B.index_select(0, rows)); });
    EXPECT_NEAR(quick.value, distance.of(B), 1e-12);
    ASSERT_EQ(quick.without.size(), 10U);
    for (size_t g = 0; g < 10; ++g) EXPECT_NEAR(quick.without[g], slow.without[g], 1e-12);
}

TEST(MedianSquaredDistance, TakesRowsEvenlyFromManyAndBothMiddlesOfAnEvenNumber) {
    const at::Tensor line = at::tensor({0.0, 1.0, 3.0, 7.0}, at::kDouble).view({4, 1});  // 1 4 9 16 36 49
    EXPECT_EQ(median_squared_distance(line), 12.5);
    EXPECT_EQ(median_squared_distance(line.slice(0, 0, 3)), 4);
    const at::Tensor x = normal_rows(2048, 3, 60);
    const double of_all = median_squared_distance(x);
    EXPECT_NEAR(of_all, 4.732, 0.15) << "2·χ² with 3 degrees of freedom";
    EXPECT_EQ(median_squared_distance(x.repeat_interleave(2, 0)), of_all) << "every other row of 4096";
}

TEST(KernelDistance, RefusesWhatItCannotUse) {
    const at::Tensor A = check_A();
    const KernelDistance distance(A, gaussian_kernel(1));
    EXPECT_SAYS(error_of([&] { distance.of(A.slice(0, 0, 1)); }), "the samples' features: there are 1 rows");
    EXPECT_SAYS(error_of([&] { distance.of(A.slice(1, 0, 3)); }), "have 3 columns, but the reference's have 8");
    EXPECT_SAYS(error_of([&] { distance.jackknifed(A.slice(0, 0, 12)); }), "at least 20 pictures, but there are 12");
    EXPECT_SAYS(error_of([&] { KernelDistance(A / 0, gaussian_kernel(1)); }), "the reference's features: row 0");
    EXPECT_SAYS(error_of([&] { KernelDistance(A.slice(0, 0, 1), gaussian_kernel(1)); }),
                "the reference's features: there are 1 rows");
    EXPECT_SAYS(error_of([&] { gaussian_kernel(0); }), "above 0");
    EXPECT_SAYS(error_of([&] { median_squared_distance(at::ones({5, 2})); }), "copies of each other");
}

}  // namespace
}  // namespace ddpm
