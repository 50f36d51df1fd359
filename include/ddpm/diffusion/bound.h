#pragma once

#include <ATen/core/Tensor.h>

#include "ddpm/diffusion/likelihood.h"
#include "ddpm/diffusion/schedule.h"

namespace ddpm {

// The variational bound on −ln p(x_0) term by term (arXiv 2006.11239, eq. 5), in nats per dimension of an example:
// divided by ln 2, bits/dim. Tensors are [N,…] of one floating dtype, and results [N] in it; a term is a small
// difference of large numbers, so float64 where the digits matter. Gradients flow.

// L_t of each example at its t ([N] int64, on the CPU or beside the others): KL(q(x_{t−1}|x_t,x_0) ‖ p_θ(x_{t−1}|x_t)),
// and at t = 0 −ln of the probability of x_0's bin (`x_start`: values 2·v/255 − 1). p_θ has the posterior's mean at
// `pred_x0`, clipped or not, and `log_variance`, which need only broadcast to [N,…].
at::Tensor bound_term(const NoiseSchedule& schedule, const at::Tensor& t, const at::Tensor& x_start, const at::Tensor& x_t,
                      const at::Tensor& pred_x0, const at::Tensor& log_variance, NormalCdf cdf = NormalCdf::exact);

// KL(q(x_{T−1}|x_0) ‖ N(0, I)).
at::Tensor prior_term(const NoiseSchedule& schedule, const at::Tensor& x_start);

}  // namespace ddpm
