#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "ddpm/train/step.h"
#include "ddpm/train/trainer.h"

namespace ddpm::train {

// The place where training went wrong.
struct Diagnosis {
    int64_t first_t = 0, last_t = 0;  // the range of t in the micro-batch
    std::string place;                // "at down_blocks.0.resnets.0.conv1 (aten::conv2d)": the layer used last, the operator

    std::string text() const;  // one line; does not name the step
};

// Repeats the forward and backward passes of a step with a copy of `network` and LibTorch's operators, one micro-batch after the
// other, until a value is not finite. `load` returns a micro-batch of the step; `seed` is the seed of the attempt.
Diagnosis diagnose_step(const UNet2D& network, const NoiseSchedule& schedule, const TrainJob& job, uint64_t seed, Streams streams,
                        int64_t step, const std::function<Batch(int64_t micro)>& load);

}  // namespace ddpm::train
