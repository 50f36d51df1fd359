#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ddpm {

struct TrainOptions;

// The values of train.lr_schedule: constant, cosine, linear.
const std::vector<std::string>& learning_rate_schedules();

// Returns the learning rate of optimizer step `step` (0 … steps−1). Warm-up rises linearly and reaches the full rate at step
// warmup_steps − 1. After it the rate is multiplied by 1 (constant), ½(1 + cos πp) (cosine) or 1 − p (linear), with
// p = (step − warmup_steps)/(steps − warmup_steps).
double learning_rate_at(int64_t step, const TrainOptions& options);

}  // namespace ddpm
