#pragma once

#include <ATen/core/Tensor.h>

namespace ddpm {

// KL(N(mean1, e^log_variance1) ‖ N(mean2, e^log_variance2)), elementwise, in nats. Shapes are broadcast.
at::Tensor normal_kl(const at::Tensor& mean1, const at::Tensor& log_variance1, const at::Tensor& mean2,
                     const at::Tensor& log_variance2);

// Φ, the distribution function of N(0, 1): exact, or the approximation ½(1 + tanh(√(2/π)(x + 0.044715x³))) of Ho et al.'s
// and OpenAI's code, which is off by up to 2e-4. Both rise from 0 to 1, so that the probabilities of the bins below add up
// to 1 with either. Published bits/dim are those of tanh.
enum class NormalCdf { exact, tanh };

// ln of the probability that N(mean, e^log_variance) lands in the bin of x, elementwise, in nats: the decoder of
// arXiv 2006.11239, eq. 13. Bins are x ± 1/255 with x = 2·v/255 − 1, v = 0 … 255; those of 0 and 255 (beyond ±0.999)
// are open towards ∓∞. A probability counts as at least 1e-12. float64 keeps the digits of small differences. Shapes are
// broadcast.
at::Tensor discretized_normal_log_likelihood(const at::Tensor& x, const at::Tensor& mean, const at::Tensor& log_variance,
                                             NormalCdf cdf = NormalCdf::exact);

}  // namespace ddpm
