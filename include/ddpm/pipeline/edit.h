#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/sampling/editing.h"

namespace ddpm {

// Pictures that a Session begins with, or keeps a part of, instead of drawing all of them from noise (docs/editing.md). Without
// `pictures` nothing is edited, and the other members must be left alone.
struct Edit {
    at::Tensor pictures{};  // [M,C,H,W] float32 in [−1, 1]
    int64_t variants = 1;   // of each: sample i·variants + j is variant j of picture i, and there are M·variants samples
    WalkStart start{};      // with neither member, which wants a mask, the samples begin with noise alone
    at::Tensor mask{};      // [H,W] float32 in [0, 1]: 1 where the pixels of `pictures` are kept. Undefined: nothing is kept
    std::optional<Repaint> repaint{};  // wants a mask

    bool asked() const { return pictures.defined(); }
    // The pictures of samples first … first + count − 1, [count,C,H,W] on the CPU.
    at::Tensor known(int64_t first, int64_t count) const;
};

// How many steps samples take along these settings, which are those of the cut walk: the walk's, or with `repaint` those that RePaint
// takes, repetitions counted.
int64_t steps_taken(const Edit& edit, const ResolvedSampling& settings);

// How many evaluations a picture still takes after 0, 1, … steps_taken() of them, as ResolvedSampling::evaluations counts.
std::vector<int64_t> evaluations_left(const Edit& edit, const ResolvedSampling& settings);

// Throws a user_error for an edit that contradicts itself or does not fit pictures of this shape: a mask, RePaint or a start without
// pictures, neither mask nor start, another shape of the pictures or of the mask, what repaint_order refuses.
void check(const Edit& edit, int64_t channels, int64_t height, int64_t width, const ResolvedSampling& settings);

}  // namespace ddpm
