#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ddpm/train/trainer.h"

namespace ddpm {

// The memory, in bytes, that a run takes on the device where it trains.
struct MemoryForecast {
    int64_t weights = 0;    // raw, EMA and the averages of train.ema_widths
    int64_t optimizer = 0;  // both moments
    int64_t gradients = 0;
    int64_t fixed = 0;                 // at the peak of a forward and backward pass, whatever the number of images
    int64_t per_image = 0;             // at that peak, for each image
    int64_t read_ahead = 0;            // in the loader, for each image of a batch; 0 if the device is not the CPU
    std::optional<int64_t> available;  // on the device before the run; nothing if the system does not tell

    // These are for micro-batches of `batch_size` images, `accumulation` of them in a step.
    int64_t activations(int64_t batch_size) const;
    int64_t total(int64_t batch_size, int64_t accumulation) const;
};

// Measures the forecast: it sends one image and then several forward and backward through a network of its own, so that a run of
// `job` computes the same afterwards. That takes about a second, or as long as three images take in a step.
MemoryForecast forecast_memory(const TrainJob& job);

// "about 1.2 GiB: weights and averages 51 MiB, …; 20.1 GiB are available"
std::string describe(const MemoryForecast& forecast, const TrainOptions& options);

// Throws a user_error if the run does not fit into the available memory. Its hint names a batch that does.
void check_fits(const MemoryForecast& forecast, const TrainOptions& options);

}  // namespace ddpm
