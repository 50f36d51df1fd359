#include "ddpm/eval/neighbours.h"

#include <algorithm>
#include <limits>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "eval/blocks.h"

namespace ddpm {

namespace {

void check_neighbours(int64_t k, int64_t rows) {
    if (k < 1 || k > rows)
        user_error(fmt::format("k = {} neighbours were asked for, but there are {} rows to be neighbours; take k from 1 to {}", k,
                               rows, rows));
}

Neighbours search(const at::Tensor& features, const at::Tensor& others, int64_t k, bool same) {
    const c10::InferenceMode no_gradients;
    std::vector<at::Tensor> distances, rows;
    for (int64_t i = 0; i < features.size(0); i += eval::kBlockRows) {
        const at::Tensor x = eval::block_at(features, i);
        at::Tensor best, best_rows;
        for (int64_t j = 0; j < others.size(0); j += eval::kBlockRows) {
            at::Tensor squares = eval::squared_distances(x, eval::block_at(others, j));
            if (same && i == j) squares.fill_diagonal_(std::numeric_limits<double>::infinity());
            auto [near, near_rows] = squares.topk(std::min(k, squares.size(1)), 1, /*largest=*/false);
            near_rows = near_rows + j;
            best = best.defined() ? at::cat({best, near}, 1) : near;
            best_rows = best_rows.defined() ? at::cat({best_rows, near_rows}, 1) : near_rows;
            const auto [kept, places] = best.topk(std::min(k, best.size(1)), 1, /*largest=*/false);
            best = kept;
            best_rows = best_rows.gather(1, places);
        }
        distances.push_back(best.sqrt());
        rows.push_back(best_rows);
    }
    return {at::cat(distances), at::cat(rows)};
}

}  // namespace

Neighbours nearest(const at::Tensor& features, const at::Tensor& others, int64_t k) {
    eval::check_pair(others, 1, features, 1);
    check_neighbours(k, others.size(0));
    return search(features, others, k, false);
}

Neighbours nearest_other(const at::Tensor& features, int64_t k) {
    eval::check_features(features, 2, "features");
    check_neighbours(k, features.size(0) - 1);
    return search(features, features, k, true);
}

}  // namespace ddpm
