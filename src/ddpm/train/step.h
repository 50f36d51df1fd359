#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include <ATen/core/Tensor.h>

#include "ddpm/core/random.h"
#include "ddpm/core/runtime.h"
#include "ddpm/dataset/loader.h"
#include "ddpm/diffusion/objective.h"
#include "ddpm/train/options.h"

namespace ddpm {

class UNet2D;

// The random numbers of a step follow from the seed, their purpose, the step and one of these keys. A run keeps the one that it
// began with; the counters of its checkpoints name it, as "streams".
enum class Streams : int64_t {
    // The key is the number of the micro-batch, whose noise is one row, drawn by one thread. Dropout comes from LibTorch's
    // generator, seeded for each micro-batch. Runs whose counters have no "streams" are of this kind.
    by_micro_batch = 1,
    // The key is the position of the example in the step's whole batch, micro · batch_size + i. So a batch of 64 gives the same
    // step as two of 32, apart from the rounding of sums.
    by_position = 2,
};

// The random numbers of one micro-batch of N examples. They are the same on every device.
struct StepNoise {
    at::Tensor t;           // [N] int64, drawn from 0 … T−1 as train.timestep_sampling says; on the CPU
    at::Tensor noise;       // [N,C,H,W] float32, N(0, I), and with train.noise_offset what that adds; on the run's device
    at::Tensor seen_noise;  // with train.input_perturbation the noise of the x_t that the network sees, like noise; else undefined
    at::Tensor y;           // [N] int64, some labels replaced by the empty one; on the CPU; undefined without classes
    at::Tensor dropout_seeds;   // [N] int64 for UNet2D::set_dropout_seeds; on the CPU; undefined without dropout
    uint64_t dropout_seed = 0;  // for LibTorch's generator; Streams::by_micro_batch has it in place of dropout_seeds
};

// Computes the loss and the gradients of a training step (Ho et al. 2020, Algorithm 1): x_t = √ᾱ_t x_0 + √(1−ᾱ_t) ε, and what the
// objective says of the network's answer. The arguments, but for the objective itself, must outlive the object.
class TrainingStep {
public:
    TrainingStep(UNet2D& network, const Objective& objective, const TrainOptions& options, uint64_t seed, const Runtime& runtime,
                 Streams streams = Streams::by_position);
    ~TrainingStep();

    // Draws the random numbers of `batch`, which is micro-batch `micro` (0 … gradient_accumulation_steps − 1) of step `step`.
    // Every micro-batch has batch_size examples; the last one may have fewer.
    StepNoise draw(const Batch& batch, int64_t step, int64_t micro) const;

    // Adds this micro-batch's share, 1 / gradient_accumulation_steps, to the gradients. Returns its mean loss, one number on the
    // run's device, which the next call may overwrite. It does not wait for the device.
    at::Tensor accumulate(const Batch& batch, const StepNoise& drawn);
    at::Tensor accumulate(const Batch& batch, int64_t step, int64_t micro) { return accumulate(batch, draw(batch, step, micro)); }

private:
    struct OnGpu;

    // Draws the noise of `batch`. `fill` fills a tensor [N,…] with the numbers of a purpose.
    StepNoise draw_noise(const Batch& batch, const std::function<void(const at::Tensor&, Purpose)>& fill) const;
    int64_t draw_t(RandomStream& stream) const;
    int64_t label_of(const Batch& batch, int64_t i, bool dropped) const;
    StepNoise draw_by_micro_batch(const Batch& batch, int64_t step, int64_t micro) const;

    UNet2D& network_;
    Objective objective_;
    const TrainOptions& options_;
    uint64_t seed_;
    Runtime runtime_;
    Streams streams_;
    int64_t classes_;             // rows of the label table; 0: there is none
    std::unique_ptr<OnGpu> gpu_;  // null until a step is recorded
};

}  // namespace ddpm
