#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/diffusion/likelihood.h"
#include "ddpm/diffusion/schedule.h"
#include "ddpm/diffusion/types.h"
#include "ddpm/sampling/denoiser.h"
#include "ddpm/sampling/noise.h"

namespace ddpm {

struct BoundSettings {
    VarianceType variance = VarianceType::fixed_small;  // learned_range: the denoiser's
    NormalCdf cdf = NormalCdf::exact;
};

// The variational bound on −log2 p(x_0) of N images, term by term (arXiv 2006.11239, eq. 5), in bits per dimension,
// each with one x_t drawn from q. Row i of S belongs to index i of the schedule. float64 on the CPU.
struct BoundTerms {
    at::Tensor vb;           // [S, N]: KL(q(x_{t−1}|x_t,x_0) ‖ p_θ(x_{t−1}|x_t)); at i = 0 −log2 of the bin of x_0
    at::Tensor x_start_mse;  // [S, N]: of x̂_0
    at::Tensor eps_mse;      // [S, N]: of ε̂
    at::Tensor prior;        // [N]: KL(q(x_{T−1}|x_0) ‖ N(0, I))

    at::Tensor total() const;  // [N]
};

// The bound of the chain over `schedule`, respaced or not. x_start: [N,…] on the network's device, values 2·v/255 − 1.
// y: [N] int64 or undefined. noise(t) for each t of schedule.original_t(), ascending. A clipped x̂_0, as the papers' code
// has it, is the denoiser's affair. `on_term` is told how many of the S terms are done.
BoundTerms bound_terms(const Denoiser& denoiser, const NoiseSchedule& schedule, const at::Tensor& x_start, const at::Tensor& y,
                       const BoundSettings& settings, const NoiseSource& noise,
                       const std::function<void(int64_t done)>& on_term = {});

// Noise for images first … first+count−1. That of image i at t follows from (seed, t, i) alone, so the same images give
// the same terms in every batch, and a chain over fewer t repeats the x_t of the whole one.
NoiseSource bound_noise(uint64_t seed, int64_t first, int64_t count, const std::vector<int64_t>& shape);

// Means over images, whatever the batches they came in.
class BoundMean {
public:
    void add(const BoundTerms& terms);

    int64_t images() const { return static_cast<int64_t>(totals_.size()); }
    double total() const;           // bits/dim
    double standard_error() const;  // of total() over the images; NaN for a single one
    double prior() const { return prior_ / static_cast<double>(images()); }
    // By index of the schedule.
    std::vector<double> vb() const { return mean(vb_); }
    std::vector<double> x_start_mse() const { return mean(x_start_mse_); }
    std::vector<double> eps_mse() const { return mean(eps_mse_); }

private:
    std::vector<double> mean(std::vector<double> sums) const;

    std::vector<double> vb_, x_start_mse_, eps_mse_;  // sums
    double prior_ = 0;
    std::vector<double> totals_;
};

}  // namespace ddpm
