#pragma once

#include <functional>

#include <ATen/core/Tensor.h>

#include "ddpm/diffusion/prediction.h"
#include "ddpm/diffusion/schedule.h"

namespace ddpm {

// Returns what the network should answer to x_t = q_sample(x_start, t, noise): ε, x_0 or v, shaped like x_start. ε is `noise`
// and x_0 is `x_start` itself, not a copy. t: [N] int64.
at::Tensor training_target(const NoiseSchedule& schedule, PredictionType type, const at::Tensor& x_start, const at::Tensor& t,
                           const at::Tensor& noise);

// Returns the mean squared error of each example, [N], of arguments [N,…] of equal shapes. The result is at least float32,
// whatever the precision of the arguments.
at::Tensor mse_per_example(const at::Tensor& model_output, const at::Tensor& target);

// The loss that training lowers and validation measures. This is the one place that knows what a network is asked and how its
// answer is judged.
class Objective {
public:
    // The schedule must outlive the object.
    Objective(const NoiseSchedule& schedule, PredictionType type) : schedule_(schedule), type_(type) {}

    // [N] each, at least float32.
    struct Judged {
        at::Tensor loss;  // what training lowers: L_simple (arXiv 2006.11239, eq. 14) before its mean over the batch
        at::Tensor mse;   // of the answer from training_target, without any weight: comparable between objectives
    };

    // The network's answer, [N,C,H,W] in any floating type, to x_t ([N,C,H,W]) at the times that judge() was given.
    using Model = std::function<at::Tensor(const at::Tensor& x_t)>;

    // Asks `model` once about x_t = q_sample(x_start, t, noise). x_start, noise: [N,C,H,W]; t: [N] int64; all on one device.
    // Gradients flow through `loss`.
    Judged judge(const Model& model, const at::Tensor& x_start, const at::Tensor& t, const at::Tensor& noise) const;

private:
    const NoiseSchedule& schedule_;
    PredictionType type_;
};

}  // namespace ddpm
