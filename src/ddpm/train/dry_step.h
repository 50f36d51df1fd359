#pragma once

#include "ddpm/train/trainer.h"

namespace ddpm {

// The result of a trial: the first micro-batch of a run, without an update.
struct DryStep {
    int64_t step = 0;  // steps that the run has done already
    double loss = 0, grad_norm = 0;
    double load_seconds = 0, pass_seconds = 0;  // for reading the micro-batch; for its forward and backward pass
};

// Does what a run of `job` would do first: makes or restores its state, and computes the loss and the gradients of the next
// step's first micro-batch. Writes nothing.
DryStep dry_step(const TrainJob& job);

}  // namespace ddpm
