#pragma once

#include <ATen/core/Tensor.h>

#include "ddpm/diffusion/schedule.h"
#include "ddpm/diffusion/types.h"

namespace ddpm {

// x_t = a_t·x_0 + σ_t·ε with a_t = √ᾱ_t, σ_t = √(1−ᾱ_t) ties x_0, ε and v together: at a known x_t each gives the
// others. All tensors [N,…] of one floating dtype, t [N] int64. The ways from v and from x_0 never divide by a_t, so
// they hold at zero terminal SNR; the ways from ε do, and give no finite number there.
at::Tensor x0_from_eps(const NoiseSchedule& schedule, const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& eps);
at::Tensor x0_from_v(const NoiseSchedule& schedule, const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& v);
at::Tensor eps_from_x0(const NoiseSchedule& schedule, const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& x0);
at::Tensor eps_from_v(const NoiseSchedule& schedule, const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& v);
at::Tensor v_from_x0(const NoiseSchedule& schedule, const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& x0);
at::Tensor v_from_eps(const NoiseSchedule& schedule, const at::Tensor& x_t, const at::Tensor& t, const at::Tensor& eps);

// v by its definition, from the x_0 and ε that x_t was made of.
at::Tensor velocity(const NoiseSchedule& schedule, const at::Tensor& x_start, const at::Tensor& t, const at::Tensor& noise);

struct X0AndEps {
    at::Tensor pred_x0, pred_eps;
};
// Reads `model_output` [N,…] as `type` says. The member that the network has predicted is `model_output` itself, not a copy.
X0AndEps read_prediction(const NoiseSchedule& schedule, PredictionType type, const at::Tensor& x_t, const at::Tensor& t,
                         const at::Tensor& model_output);

// These do the same for an x_t [N,…] that is at one level.
X0AndEps read_prediction(const NoiseLevel& level, PredictionType type, const at::Tensor& x_t, const at::Tensor& model_output);
at::Tensor eps_from_x0(const NoiseLevel& level, const at::Tensor& x_t, const at::Tensor& x0);

}  // namespace ddpm
