#pragma once

#include <cstdint>
#include <memory>

#include <ATen/core/Tensor.h>

#include "ddpm/core/runtime.h"
#include "ddpm/dataset/loader.h"
#include "ddpm/diffusion/objective.h"
#include "ddpm/diffusion/schedule.h"
#include "ddpm/train/options.h"

namespace ddpm {

class UNet2D;

// What the random numbers of a step are keyed by, besides the seed, their purpose and the step. A run keeps what it began
// with: "streams" in the counters of its checkpoints.
enum class Streams : int64_t {
    // By micro-batch, and dropout by LibTorch's generator, seeded for each: runs whose counters lack the key. The noise of a
    // micro-batch is one row, drawn by one thread.
    by_micro_batch = 1,
    // By example: its position in the step's whole batch, micro · batch_size + i. A batch of 64 is two of 32 then, but for the
    // rounding of sums.
    by_position = 2,
};

// What is drawn at random for one micro-batch, the same on every device.
struct StepNoise {
    at::Tensor t;               // [N] int64, uniform over 0 … T−1; on the CPU
    at::Tensor noise;           // like x_start, N(0, I); on the run's device
    at::Tensor y;               // [N] int64 with some labels dropped; undefined without classes; on the CPU
    at::Tensor dropout_seeds;   // [N] int64, on the CPU: UNet2D::set_dropout_seeds; undefined without dropout
    uint64_t dropout_seed = 0;  // of LibTorch's generator; Streams::by_micro_batch has it in place of dropout_seeds
};

// Ho et al. 2020, Algorithm 1: x_t = √ᾱ_t x_0 + √(1−ᾱ_t) ε, the MSE on what the network predicts, and its gradients.
// Everything random follows from the seed, the step and the position of each example in the step's whole batch (Streams). The
// arguments must outlive the object.
class TrainingStep {
public:
    TrainingStep(UNet2D& network, const NoiseSchedule& schedule, PredictionType prediction_type, const TrainOptions& options,
                 uint64_t seed, const Runtime& runtime, Streams streams = Streams::by_position);
    ~TrainingStep();

    // `batch` is micro-batch `micro` (0 … gradient_accumulation_steps − 1) of the step, of batch_size examples; the last may
    // have fewer.
    StepNoise draw(const Batch& batch, int64_t step, int64_t micro) const;

    // Adds this micro-batch's share (1 / gradient_accumulation_steps) to the gradients; returns its loss, one number on the
    // run's device, which the next call may overwrite. Doesn't wait for the device.
    at::Tensor accumulate(const Batch& batch, const StepNoise& drawn);
    at::Tensor accumulate(const Batch& batch, int64_t step, int64_t micro) { return accumulate(batch, draw(batch, step, micro)); }

private:
    struct OnGpu;

    StepNoise noise_for(const Batch& batch) const;  // room for the noise, nothing drawn yet
    int64_t label_of(const Batch& batch, int64_t i, bool dropped) const;
    StepNoise draw_by_micro_batch(const Batch& batch, int64_t step, int64_t micro) const;

    UNet2D& network_;
    const NoiseSchedule& schedule_;
    Objective objective_;
    const TrainOptions& options_;
    uint64_t seed_;
    Runtime runtime_;
    Streams streams_;
    int64_t classes_;             // rows of the label table; 0 without
    std::unique_ptr<OnGpu> gpu_;  // null where a step is not recorded
};

}  // namespace ddpm
