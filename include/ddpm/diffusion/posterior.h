#pragma once

#include <ATen/core/Tensor.h>

#include "ddpm/diffusion/schedule.h"
#include "ddpm/diffusion/types.h"

namespace ddpm {

// A Gaussian whose covariance is `variance` times the identity.
struct Gaussian {
    at::Tensor mean;          // [N,…]
    at::Tensor variance;      // [N,1,…,1]
    at::Tensor log_variance;  // [N,1,…,1]
};

// q(x_{t−1}|x_t,x_0) (arXiv 2006.11239, eq. 6 and 7). x_start, x_t: [N,…]. t: [N] int64. At t = 0 the mean is x_start,
// the variance 0 and the log variance clipped to ln β̃_1.
Gaussian q_posterior(const NoiseSchedule& schedule, const at::Tensor& x_start, const at::Tensor& x_t,
                     const at::Tensor& t);

// μ of q(x_{t−1}|x_t,x_0) alone. With a clipped x̂_0 it stays within bounds whatever the network says.
at::Tensor posterior_mean(const NoiseSchedule& schedule, const at::Tensor& x_start, const at::Tensor& x_t,
                          const at::Tensor& t);

// μ = (x_t − β_t/σ_t·ε)/√α_t (eq. 11): equal to posterior_mean of x̂_0 = (x_t − σ_t·ε)/a_t, which it leaves unclipped.
// Where β_t is near 1, as at the end of the cosine schedule, it multiplies an error of ε by β_t/(σ_t√α_t), about 31.6.
at::Tensor posterior_mean_from_eps(const NoiseSchedule& schedule, const at::Tensor& x_t, const at::Tensor& t,
                                   const at::Tensor& eps);

// ln Σ of either fixed type at t; at t = 0 both are ln β̃_1, as likelihoods want it. (A sampler adds no noise there.)
double fixed_log_variance(const NoiseSchedule& schedule, VarianceType type, int64_t t);

// ln Σ = f·ln β_t + (1−f)·ln β̃_t, f = (v+1)/2 (arXiv 2102.09672, eq. 15); at t = 0 β̃_1. v: the second half of the
// network's channels, [N,C,…], −1 … 1 by training alone. t: 0 … T−1. Shaped like v.
at::Tensor learned_range_log_variance(const NoiseSchedule& schedule, const at::Tensor& v, int64_t t);

}  // namespace ddpm
