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
Gaussian q_posterior(const NoiseSchedule& schedule, const at::Tensor& x_start, const at::Tensor& x_t, const at::Tensor& t);

// μ of q(x_{t−1}|x_t,x_0) alone. With a clipped x̂_0 it stays within bounds, whatever the network answers.
at::Tensor posterior_mean(const NoiseSchedule& schedule, const at::Tensor& x_start, const at::Tensor& x_t, const at::Tensor& t);

// μ = (x_t − β_t/σ_t·ε)/√α_t (eq. 11): equal to posterior_mean of x̂_0 = (x_t − σ_t·ε)/a_t, which it leaves unclipped.
// Where β_t is near 1, as at the end of the cosine schedule, it multiplies an error of ε by β_t/(σ_t√α_t), about 31.6.
at::Tensor posterior_mean_from_eps(const NoiseSchedule& schedule, const at::Tensor& x_t, const at::Tensor& t,
                                   const at::Tensor& eps);

// ln Σ of p_θ(x_{t−1}|x_t) for a step from one level to another. Don't ask for a step into the clean level: β̃ is 0 there, and
// a sampler adds no noise. learned_range is a runtime_failure in fixed_log_variance.
double fixed_log_variance(const PosteriorStep& step, VarianceType type);
// ln Σ = f·ln β + (1−f)·ln β̃ (arXiv 2102.09672, eq. 15). f: a tensor of any shape, which nothing but training keeps within
// 0 … 1. The result has its shape.
at::Tensor learned_range_log_variance(const PosteriorStep& step, const at::Tensor& f);

// These do the same for the t of each example, [N] int64, as likelihoods need it: at t = 0 β̃_1 takes the place of β̃, and in
// fixed_large also that of β. fixed_log_variance returns [N,1,…,1] in the dtype and on the device of `like` [N,…];
// learned_range_log_variance returns a tensor shaped like f [N,…].
at::Tensor fixed_log_variance(const NoiseSchedule& schedule, VarianceType type, const at::Tensor& t, const at::Tensor& like);
at::Tensor learned_range_log_variance(const NoiseSchedule& schedule, const at::Tensor& f, const at::Tensor& t);

}  // namespace ddpm
