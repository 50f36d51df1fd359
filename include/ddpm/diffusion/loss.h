#pragma once

#include <ATen/core/Tensor.h>

#include "ddpm/diffusion/prediction.h"

namespace ddpm {

// What the network should have answered for x_t = q_sample(x_start, t, noise): ε, x_0 or v. Shaped like x_start.
at::Tensor training_target(const NoiseSchedule& schedule, PredictionType type, const at::Tensor& x_start,
                           const at::Tensor& t, const at::Tensor& noise);

// Mean squared error of each example, [N]; L_simple (arXiv 2006.11239, eq. 14) before its mean over the batch.
// At least float32, whatever the precision of the arguments ([N,…], equal shapes).
at::Tensor mse_per_example(const at::Tensor& model_output, const at::Tensor& target);

}  // namespace ddpm
