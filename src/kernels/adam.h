#pragma once

#include <cstdint>
#include <vector>

#include "ddpm/kernels/adam.h"

namespace ddpm {

// One parameter tensor's numbers; average is null where there is none.
struct AdamSpan {
    float* parameter;
    const float* gradient;
    float *exp_avg, *exp_avg_sq, *average;
    int64_t count;
};

// The update of AdamUpdate in one pass over memory.
void adam_update(const std::vector<AdamSpan>& spans, const AdamUpdate& update);

// Σ g² over all gradients: in float32 for blocks of 4096, in double for their sum, in one order whatever the threads.
double sum_of_squares(const std::vector<AdamSpan>& spans);

}  // namespace ddpm
