#pragma once

#include <cstdint>
#include <memory>

#include "ddpm/dataset/dataset.h"

namespace ddpm {

// A data set in two parts that share no example.
struct Split {
    std::unique_ptr<Dataset> training, held_out;
};

// Returns how many of `size` examples `holdout` (the key dataset.holdout) takes: below 1 it is a fraction of them, rounded and
// at least one example; from 1 on it is the number itself; 0 takes none. It is a user_error if none is left to train on.
int64_t held_out_count(int64_t size, double holdout);

// Holds out held_out_count(…) examples, which must not be 0, drawn from `seed`. Both parts keep the order of the whole, and
// share it. It is a user_error if the lists of examples do not fit into memory.
Split split_dataset(const std::shared_ptr<const Dataset>& whole, double holdout, uint64_t seed);

}  // namespace ddpm
