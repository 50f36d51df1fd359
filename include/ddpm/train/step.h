#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "ddpm/core/runtime.h"
#include "ddpm/dataset/loader.h"
#include "ddpm/diffusion/prediction.h"
#include "ddpm/diffusion/schedule.h"
#include "ddpm/train/options.h"

namespace ddpm {

class UNet2D;

// What is drawn at random for one micro-batch, on the CPU whatever the device.
struct StepNoise {
    at::Tensor t;      // [N] int64, uniform over 0 … T−1
    at::Tensor noise;  // like x_start, N(0, I)
    at::Tensor y;      // [N] int64 with some labels dropped; undefined without classes
    uint64_t dropout_seed = 0;
};

// Ho et al. 2020, Algorithm 1: x_t = √ᾱ_t x_0 + √(1−ᾱ_t) ε, the MSE on what the network predicts, and its gradients.
// Everything random follows from (seed, step, micro). The arguments must outlive the object.
class TrainingStep {
public:
    TrainingStep(UNet2D& network, const NoiseSchedule& schedule, PredictionType prediction_type,
                 const TrainOptions& options, uint64_t seed, const Runtime& runtime);

    StepNoise draw(const Batch& batch, int64_t step, int64_t micro) const;

    // Adds this micro-batch's share (1 / gradient_accumulation_steps) to the gradients; returns its loss.
    double accumulate(const Batch& batch, const StepNoise& drawn);
    double accumulate(const Batch& batch, int64_t step, int64_t micro) { return accumulate(batch, draw(batch, step, micro)); }

private:
    UNet2D& network_;
    const NoiseSchedule& schedule_;
    PredictionType prediction_type_;
    const TrainOptions& options_;
    uint64_t seed_;
    Runtime runtime_;
    int64_t classes_;  // rows of the label table; 0 without
};

}  // namespace ddpm
