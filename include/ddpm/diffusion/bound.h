#pragma once

#include <ATen/core/Tensor.h>

#include "ddpm/diffusion/likelihood.h"
#include "ddpm/diffusion/schedule.h"

namespace ddpm {

// The variational bound on −ln p(x_0) term by term (arXiv 2006.11239, eq. 5), in nats per dimension of an example; divided
// by ln 2 it is bits/dim. Tensors are [N,…] of one floating dtype, and results are [N] in it. A term is a small difference
// of large numbers: use float64 if its digits matter. Gradients flow.

// L_t of each example at its t ([N] int64, on the CPU or on the others' device): KL(q(x_{t−1}|x_t,x_0) ‖ p_θ(x_{t−1}|x_t)),
// and at t = 0 −ln of the probability of x_0's bin (`x_start`: values 2·v/255 − 1). The mean of p_θ is the posterior's at
// `pred_x0`, clipped or not, and its variance is e^log_variance, of a shape that broadcasts to [N,…].
at::Tensor bound_term(const NoiseSchedule& schedule, const at::Tensor& t, const at::Tensor& x_start, const at::Tensor& x_t,
                      const at::Tensor& pred_x0, const at::Tensor& log_variance, NormalCdf cdf = NormalCdf::exact);

// L_T of each example: KL(q(x_{T−1}|x_0) ‖ N(0, I)).
at::Tensor prior_term(const NoiseSchedule& schedule, const at::Tensor& x_start);

}  // namespace ddpm
