#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "ddpm/train/step.h"
#include "ddpm/train/trainer.h"

namespace ddpm::train {

// Where training went wrong.
struct Diagnosis {
    int64_t first_t = 0, last_t = 0;  // the range of t in the micro-batch
    std::string place;                // "at down_blocks.0.resnets.0.conv1 (aten::conv2d)": the layer used last, the operator

    std::string text() const;  // one line without the step
};

// Repeats a step's forward and backward pass micro-batch by micro-batch with `network`'s weights and LibTorch's operators,
// until a value is not finite. `load` gives the batch of a micro-batch; `seed` is that of the attempt.
Diagnosis diagnose_step(const UNet2D& network, const NoiseSchedule& schedule, const TrainJob& job, uint64_t seed, Streams streams,
                        int64_t step, const std::function<Batch(int64_t micro)>& load);

}  // namespace ddpm::train
