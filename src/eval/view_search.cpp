#include "ddpm/eval/view_search.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "eval/blocks.h"

namespace ddpm {

namespace {

constexpr int64_t kNumbers = int64_t{4} << 20;  // of views and distances at a time: 32 MB each

}  // namespace

ViewSearch::ViewSearch(int64_t count, int64_t k, Views views, at::Tensor own)
    : count_(count), k_(k), views_(std::move(views)), own_(std::move(own)) {
    const c10::InferenceMode no_gradients;
    squares_ = at::empty({count_, 0}, at::kDouble);
    numbers_ = at::empty({count_, 0}, at::kLong);
}

void ViewSearch::add(const at::Tensor& rows, const at::Tensor& numbers) {
    const c10::InferenceMode no_gradients;
    const int64_t m = rows.size(0);
    if (m == 0) return;
    std::vector<at::Tensor> squares_kept, numbers_kept;
    for (int64_t first = 0, n = 1; first < count_; first += n) {
        if (first > 0) n = std::min(n, count_ - first);
        at::Tensor views = views_(first, n);
        if (first == 0) {  // the first picture says how many views there are, and so how many pictures are taken together
            n = std::clamp(kNumbers / (views.size(1) * (rows.size(1) + m)), int64_t{1}, count_);
            views = views_(0, n);
        }
        at::Tensor squares = eval::squared_distances(views.flatten(0, 1), rows).view({n, views.size(1), m}).amin(1);
        if (own_.defined())
            squares.masked_fill_(own_.slice(0, first, first + n).unsqueeze(1) == numbers.unsqueeze(0),
                                 std::numeric_limits<double>::infinity());
        // A stable sort leaves equal ones in the order of their numbers, whatever the blocks are.
        const at::Tensor all = at::cat({squares_.slice(0, first, first + n), squares}, 1);
        const at::Tensor all_numbers = at::cat({numbers_.slice(0, first, first + n), numbers.unsqueeze(0).expand({n, m})}, 1);
        const auto [sorted, places] = at::sort(all, std::optional<bool>(true), 1);
        squares_kept.push_back(sorted.slice(1, 0, k_).clone());
        numbers_kept.push_back(all_numbers.gather(1, places.slice(1, 0, k_)));
    }
    squares_ = at::cat(squares_kept);
    numbers_ = at::cat(numbers_kept);
}

Neighbours ViewSearch::found() const {
    const c10::InferenceMode no_gradients;
    return {squares_.sqrt(), numbers_};
}

}  // namespace ddpm
