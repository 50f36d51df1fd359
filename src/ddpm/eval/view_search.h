#pragma once

#include <cstdint>
#include <functional>

#include <ATen/core/Tensor.h>

#include "ddpm/eval/neighbours.h"

namespace ddpm {

// Finds the rows that are nearest to each of N pictures of which there are V views, such as the mirror image: the distance of a row is
// that to the nearest view. The rows come in blocks, so that memory is that of a block, of some views and of the result.
//     ViewSearch search(N, 50, views);
//     for (…) search.add(rows, numbers);
//     const Neighbours found = search.found();
// Of equally near rows the one with the smaller number counts as nearer. Distances of whole numbers, such as bytes, are exact, so that
// nothing depends on blocks or threads; other distances depend on them by rounding.
class ViewSearch {
public:
    // Returns the views of pictures first … first + n − 1, [n, V, D] float64 on the CPU, V and D the same in every call.
    using Views = std::function<at::Tensor(int64_t first, int64_t n)>;

    // k ≥ 1. `own` [N] int64, or undefined: the number of a row that is no neighbour of the picture, because it is the picture itself.
    ViewSearch(int64_t count, int64_t k, Views views, at::Tensor own = {});

    // Adds rows [n, D] float64 on the CPU with their numbers [n] int64, which ascend from call to call too.
    void add(const at::Tensor& rows, const at::Tensor& numbers);

    // Returns the neighbours among the rows so far: k, or all if they are fewer; `rows` of it holds their numbers. A picture's own row
    // comes last, at an infinite distance, if there are not more than k rows. At least one row must have been added.
    Neighbours found() const;

private:
    const int64_t count_, k_;
    const Views views_;
    const at::Tensor own_;
    at::Tensor squares_, numbers_;  // [N, ≤ k]
};

}  // namespace ddpm
