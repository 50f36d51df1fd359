#pragma once

#include <functional>

#include <ATen/core/Tensor.h>

#include "ddpm/diffusion/loss_options.h"
#include "ddpm/diffusion/prediction.h"
#include "ddpm/diffusion/schedule.h"
#include "ddpm/diffusion/types.h"

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
    // The schedule must outlive the object and its copies. Of `loss` the weighting counts. With learned_range the network is asked
    // for a variance too.
    Objective(const NoiseSchedule& schedule, PredictionType type, const LossOptions& loss = {},
              VarianceType variance = VarianceType::fixed_small);

    const NoiseSchedule& schedule() const { return *schedule_; }

    // [N] each, at least float32.
    struct Judged {
        // What training lowers, before its mean over the batch: mse times the weight of t (loss_weighting.h), and with a learned
        // variance (T/1000)·L_t, L_t in bits per dimension. That is L_hybrid with λ = 0.001 (arXiv 2102.09672, eq. 16) if t is
        // uniform: T·L_t is then an estimate of L_vlb. L_t has no gradient but for the variance.
        at::Tensor loss;
        at::Tensor mse;  // of the prediction from training_target, without any weight: comparable between objectives
    };

    // The network's answer, [N,C,H,W] in any floating type, to x_t ([N,C,H,W]) at the times that judge() was given. With a learned
    // variance it is [N,2C,H,W]: the prediction, then v of the fraction f = (v + 1)/2 (learned_range_log_variance).
    using Model = std::function<at::Tensor(const at::Tensor& x_t)>;

    // Asks `model` once about x_t = q_sample(x_start, t, noise). x_start, noise: [N,C,H,W]; t: [N] int64; all on one device. If
    // `seen_noise`, shaped like noise, is defined, x_t is made of that instead, and the target still of `noise`: input perturbation
    // (arXiv 2301.11706, algorithm 1). Gradients flow through `loss`. An answer of another shape is a runtime_failure.
    Judged judge(const Model& model, const at::Tensor& x_start, const at::Tensor& t, const at::Tensor& noise,
                 const at::Tensor& seen_noise = {}) const;

private:
    at::Tensor variance_loss(const at::Tensor& x_start, const at::Tensor& t, const at::Tensor& x_t, const at::Tensor& prediction,
                             const at::Tensor& variance) const;

    const NoiseSchedule* schedule_;
    PredictionType type_;
    bool learns_variance_;
    Table weights_;  // of mse
};

// Returns the objective of a configuration. The schedule must be that of `diffusion`, and outlive it.
Objective make_objective(const NoiseSchedule& schedule, const DiffusionOptions& diffusion, const LossOptions& loss);

}  // namespace ddpm
