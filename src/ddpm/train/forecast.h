#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ddpm/train/trainer.h"

namespace ddpm {

// The memory that a run will take, in bytes, on the device it trains on.
struct MemoryForecast {
    int64_t weights = 0;    // raw and EMA
    int64_t optimizer = 0;  // both moments
    int64_t gradients = 0;
    int64_t fixed = 0;                 // what a forward and backward pass holds at its peak: so much, and
    int64_t per_image = 0;             // so much more for each image
    int64_t read_ahead = 0;            // an image that waits in the loader, times those that do; 0 on another device than the CPU
    std::optional<int64_t> available;  // before the run began

    // With micro-batches of `batch_size`, `accumulation` of them a step.
    int64_t activations(int64_t batch_size) const;
    int64_t total(int64_t batch_size, int64_t accumulation) const;
};

// Finds it out by a forward and backward pass of one image and of some more with a network of its own: what a run of
// `job` computes does not change, and it takes about a second, or as long as three images take in a step.
MemoryForecast forecast_memory(const TrainJob& job);

// "about 1.2 GiB: weights and EMA 51 MiB, …; 20.1 GiB are available"
std::string describe(const MemoryForecast& forecast, const TrainOptions& options);

// A user_error with a smaller batch as the hint where the run would not fit.
void check_fits(const MemoryForecast& forecast, const TrainOptions& options);

}  // namespace ddpm
