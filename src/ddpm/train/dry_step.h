#pragma once

#include "ddpm/train/trainer.h"

namespace ddpm {

// A step that is taken to see whether it can be.
struct DryStep {
    int64_t step = 0;  // steps that the run has behind it
    double loss = 0, grad_norm = 0;
    double load_seconds = 0, pass_seconds = 0;  // of one micro-batch: reading it; forward and backward
};

// What a run of `job` would do first: its weights and state, its first micro-batch, forward and backward. Writes nothing.
DryStep dry_step(const TrainJob& job);

}  // namespace ddpm
