#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ddpm {

struct TrainOptions;

// constant, cosine, linear
const std::vector<std::string>& learning_rate_schedules();

// The learning rate of optimizer step `step` (0 … steps−1): warm-up rises linearly and reaches the full rate at step
// warmup_steps − 1; then constant, ½(1 + cos πp) or 1 − p of it, p = (step − warmup_steps)/(steps − warmup_steps).
double learning_rate_at(int64_t step, const TrainOptions& options);

}  // namespace ddpm
