#include "ddpm/eval/manifold.h"

#include <gtest/gtest.h>

#include "eval/check_values.h"
#include "support/errors.h"

namespace ddpm {
namespace {

void expect_numbers(const ManifoldNumbers& found, const ManifoldNumbers& expected, double tolerance = 1e-9) {
    EXPECT_NEAR(found.precision, expected.precision, tolerance);
    EXPECT_NEAR(found.recall, expected.recall, tolerance);
    EXPECT_NEAR(found.density, expected.density, tolerance);
    EXPECT_NEAR(found.coverage, expected.coverage, tolerance);
}

TEST(Manifold, HasTheNumbersOfPrdc) {
    const at::Tensor A = check_A(), B = check_B();
    expect_numbers(Manifold(A, 3).of(B), {0.8, 0.87, 0.723333333333, 0.73});
    expect_numbers(Manifold(A, 5).of(B), {0.935, 0.965, 0.806, 0.875});
    expect_numbers(Manifold(A, 3).of(B.slice(0, 0, 150)), {0.846666666667, 0.88, 0.748888888889, 0.66});
    const at::Tensor turn = some_rotation(8);
    expect_numbers(Manifold(at::matmul(A, turn), 3).of(at::matmul(B, turn)), {0.8, 0.87, 0.723333333333, 0.73});
    EXPECT_EQ(Manifold(B, 3).of(A).recall, 0.8) << "precision and recall change places";
}

// On a line with k = 1: the balls around 0, 1, 3 and 10 have radii 1, 1, 2 and 7.
TEST(Manifold, CountsWhatIsStrictlyInside) {
    const auto line = [](const std::vector<double>& x) { return at::tensor(x, at::kDouble).unsqueeze(1); };
    const Manifold manifold(line({0, 1, 3, 10}), 1);
    // 2 lies on the edge of 1's ball, inside that of 3; 17.5 in none; 4 in those of 3 and 10. Their own radii: 2, 2, 13.5.
    expect_numbers(manifold.of(line({2, 4, 17.5})), {2.0 / 3, 3.0 / 4, 3.0 / 3, 2.0 / 4});
    expect_numbers(manifold.of(line({0, 1, 3, 10})), {1, 1, 1, 1});
}

TEST(Manifold, CopiesOfTheReferenceAreAllOfIt) {
    const at::Tensor x = normal_rows(1500, 6, 1);
    expect_numbers(Manifold(x, 5).of(x.flip({0})), {1, 1, 1, 1}, 0);
    expect_numbers(Manifold(x, 5).of(x + 1000), {0, 0, 0, 0}, 0);
}

TEST(Manifold, BlocksChangeNothing) {
    const at::Tensor x = normal_rows(1100, 3, 2), y = normal_rows(2100, 3, 3) * 1.1 + 0.2;
    const auto radii = [](const at::Tensor& x) {
        return std::get<0>(at::cdist(x, x, 2, 2).topk(5, 1, false)).select(1, 4);  // itself and 4 others
    };
    const at::Tensor d = at::cdist(x, y, 2, 2), in_x = d < radii(x).unsqueeze(1), in_y = d < radii(y).unsqueeze(0);
    const auto share = [](const at::Tensor& flags) { return flags.to(at::kDouble).mean().item<double>(); };
    expect_numbers(Manifold(x, 4).of(y),
                   {share(in_x.any(0)), share(in_y.any(1)), in_x.sum().item<double>() / (4 * 2100), share(in_x.any(1))});
}

TEST(Manifold, SeesWhatIsMissing) {
    const at::Tensor x = at::cat({normal_rows(200, 2, 4), normal_rows(200, 2, 5) + 50});
    const ManifoldNumbers half = Manifold(x, 3).of(normal_rows(200, 2, 6));
    EXPECT_GT(half.precision, 0.85);
    EXPECT_LT(half.recall, 0.5);
    EXPECT_LT(half.coverage, 0.5);
}

TEST(Manifold, IsJackknifedByItsDefinition) {
    const at::Tensor A = check_A(), B = check_B().slice(0, 0, 60);
    const ManifoldJackknifed numbers = Manifold(A, 3).jackknifed(B);
    const at::Tensor rest = B.index_select(0, rows_without(jackknife_groups(60), 7));
    const ManifoldNumbers all = Manifold(A, 3).of(B), without = Manifold(A, 3).of(rest);
    expect_numbers({numbers.precision.value, numbers.recall.value, numbers.density.value, numbers.coverage.value}, all, 0);
    expect_numbers({numbers.precision.without.at(7), numbers.recall.without.at(7), numbers.density.without.at(7),
                    numbers.coverage.without.at(7)},
                   without, 0);
}

TEST(Manifold, RefusesWhatItCannotUse) {
    const at::Tensor A = check_A();
    EXPECT_SAYS(error_of([&] { Manifold(A, 200); }), "k = 200 neighbours were asked for, but there are 199 rows");
    EXPECT_SAYS(error_of([&] { Manifold(A, 3).of(A.slice(0, 0, 3)); }), "k = 3 neighbours were asked for, but there are 2 rows");
    EXPECT_SAYS(error_of([&] { Manifold(A, 3).of(A.slice(1, 0, 3)); }), "have 3 columns, but the reference's have 8");
    EXPECT_SAYS(error_of([&] { Manifold(A / 0, 3); }), "row 0");
}

}  // namespace
}  // namespace ddpm
