#pragma once

#include <cstdint>
#include <memory>

#include "ddpm/dataset/dataset.h"

namespace ddpm {

// A data set in two parts that share no example.
struct Split {
    std::unique_ptr<Dataset> training, held_out;
};

// Examples that `holdout` (dataset.holdout) takes from `size`: a fraction of them below 1, at least one, or a number.
// 0 takes none. Nothing left to train on is a user_error.
int64_t held_out_count(int64_t size, double holdout);

// Holds examples out that are drawn from `seed`; both parts keep their order. held_out_count(…) must not be 0.
Split split_dataset(const std::shared_ptr<const Dataset>& whole, double holdout, uint64_t seed);

}  // namespace ddpm
