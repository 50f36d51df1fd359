#include "ddpm/eval/neighbours.h"

#include <cmath>

#include <gtest/gtest.h>

#include "eval/check_values.h"
#include "support/errors.h"

namespace ddpm {
namespace {

// Distances one by one, without products of matrices.
at::Tensor distances(const at::Tensor& x, const at::Tensor& y) { return (x.unsqueeze(1) - y.unsqueeze(0)).square().sum(2).sqrt(); }

void expect_nearest(const Neighbours& found, const at::Tensor& all, int64_t k) {
    const auto [expected, rows] = all.topk(k, 1, /*largest=*/false);
    EXPECT_EQ(found.distances.sizes(), (std::vector<int64_t>{all.size(0), k}));
    EXPECT_LT((found.distances - expected).abs().max().item<double>(), 1e-12);
    EXPECT_TRUE(at::equal(found.rows, rows));
}

TEST(Neighbours, AreThoseOfAllDistances) {
    const at::Tensor x = normal_rows(1100, 3, 1), y = normal_rows(2600, 3, 2);  // more than a block and more than two
    expect_nearest(nearest(x, y, 7), distances(x, y), 7);
    at::Tensor own = distances(x, x);
    own.fill_diagonal_(INFINITY);
    expect_nearest(nearest_other(x, 5), own, 5);
    const at::Tensor few = y.slice(0, 0, 4);
    expect_nearest(nearest(x, few, 4), distances(x, few), 4);
    // The second block has two rows, less than k.
    expect_nearest(nearest(few, y.slice(0, 0, 1026), 6), distances(few, y.slice(0, 0, 1026)), 6);
    expect_nearest(nearest(few.to(at::kFloat), y.to(at::kFloat), 3),
                   distances(few.to(at::kFloat).to(at::kDouble), y.to(at::kFloat).to(at::kDouble)), 3);
}

TEST(Neighbours, ACopyIsAtNoDistance) {
    const at::Tensor x = normal_rows(50, 70, 3).to(at::kFloat) + 100;
    const Neighbours found = nearest(x.flip({0}), x, 1);
    EXPECT_TRUE(at::equal(found.distances, at::zeros({50, 1}, at::kDouble)));
    EXPECT_TRUE(at::equal(found.rows.squeeze(1), at::arange(49, -1, -1)));
    EXPECT_TRUE(at::equal(nearest_other(at::cat({x, x}), 1).distances, at::zeros({100, 1}, at::kDouble)));
    EXPECT_GT(nearest_other(x, 1).distances.min().item<double>(), 1);
}

TEST(Neighbours, RefuseWhatTheyCannotUse) {
    const at::Tensor x = normal_rows(5, 3, 4);
    EXPECT_SAYS(error_of([&] { nearest(x, x, 6); }), "k = 6 neighbours were asked for, but there are 5 rows");
    EXPECT_SAYS(error_of([&] { nearest_other(x, 5); }), "k = 5 neighbours were asked for, but there are 4 rows");
    EXPECT_SAYS(error_of([&] { nearest(x, x, 0); }), "k = 0");
    EXPECT_SAYS(error_of([&] { nearest(x.slice(1, 1), x, 1); }), "have 2 columns, but the reference's have 3");
    EXPECT_SAYS(error_of([&] { nearest(x / 0, x, 1); }), "row 0");
}

}  // namespace
}  // namespace ddpm
