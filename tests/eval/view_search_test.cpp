#include "ddpm/eval/view_search.h"

#include <cmath>

#include <gtest/gtest.h>

#include "eval/check_values.h"

namespace ddpm {
namespace {

// Whole numbers 0 … 3, so that many distances are equal.
at::Tensor small_numbers(int64_t n, int64_t d, uint64_t set) { return (normal_rows(n, d, set) * 1.5).round().clamp(0, 3); }

ViewSearch::Views part_of(const at::Tensor& views) {
    return [views](int64_t first, int64_t n) { return views.slice(0, first, first + n); };
}

Neighbours searched(const at::Tensor& views, const at::Tensor& rows, int64_t k, int64_t block, const at::Tensor& own = {}) {
    ViewSearch search(views.size(0), k, part_of(views), own);
    const at::Tensor numbers = at::arange(rows.size(0), at::kLong) * 3;  // not the places
    for (int64_t first = 0; first < rows.size(0); first += block)
        search.add(rows.slice(0, first, first + block), numbers.slice(0, first, first + block));
    return search.found();
}

// Distances one by one.
at::Tensor all_distances(const at::Tensor& views, const at::Tensor& rows) {
    return (views.unsqueeze(2) - rows.unsqueeze(0).unsqueeze(0)).square().sum(3).amin(1).sqrt();
}

TEST(ViewSearch, FindsTheNearestOfAllDistances) {
    const at::Tensor views = normal_rows(30 * 4, 5, 1).view({30, 4, 5}), rows = normal_rows(200, 5, 2);
    const auto [expected, places] = all_distances(views, rows).topk(7, 1, /*largest=*/false);
    const Neighbours found = searched(views, rows, 7, 64);
    EXPECT_LT((found.distances - expected).abs().max().item<double>(), 1e-12);
    EXPECT_TRUE(at::equal(found.rows, places * 3)) << "numbers, not places";
}

TEST(ViewSearch, DoesNotDependOnBlocksWhereNumbersAreWhole) {
    const at::Tensor views = small_numbers(20 * 3, 4, 3).view({20, 3, 4}), rows = small_numbers(150, 4, 4);
    const Neighbours whole = searched(views, rows, 10, 150);
    for (const int64_t block : {1, 7, 64}) {
        const Neighbours found = searched(views, rows, 10, block);
        EXPECT_TRUE(at::equal(found.distances, whole.distances)) << block;
        EXPECT_TRUE(at::equal(found.rows, whole.rows)) << block;
    }
    const at::Tensor ties = whole.distances.slice(1, 1) == whole.distances.slice(1, 0, 9);
    EXPECT_GT(ties.sum().item<int64_t>(), 50);
    EXPECT_TRUE((whole.rows.slice(1, 1) > whole.rows.slice(1, 0, 9)).masked_select(ties).all().item<bool>())
        << "of equally near ones the smaller number comes first";
    EXPECT_LT((whole.distances - std::get<0>(all_distances(views, rows).topk(10, 1, false))).abs().max().item<double>(), 1e-12);
}

TEST(ViewSearch, ManyPicturesAreTakenInParts) {
    const at::Tensor views = normal_rows(900 * 2, 3, 5).view({900, 2, 3}), rows = normal_rows(3000, 3, 6);
    EXPECT_LT((searched(views, rows, 1, 3000).distances.squeeze(1) - all_distances(views, rows).amin(1)).abs().max().item<double>(),
              1e-12);
}

TEST(ViewSearch, APictureIsNoNeighbourOfItself) {
    const at::Tensor rows = normal_rows(40, 6, 7), own = at::arange(40, at::kLong) * 3;
    const Neighbours found = searched(rows.unsqueeze(1), rows, 39, 16, own), expected = nearest_other(rows, 39);
    EXPECT_LT((found.distances - expected.distances).abs().max().item<double>(), 1e-12);
    EXPECT_TRUE(at::equal(found.rows, expected.rows * 3));
    EXPECT_TRUE(std::isinf(searched(rows.unsqueeze(1), rows, 50, 16, own).distances[0][39].item<double>())) << "it comes last";
}

}  // namespace
}  // namespace ddpm
