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
    VarianceType variance = VarianceType::fixed_small;  // learned_range needs a denoiser that predicts the variance
    NormalCdf cdf = NormalCdf::exact;                   // for the bin of x_0
};

// The terms of the variational bound on −log2 p(x_0) for N images (arXiv 2006.11239, eq. 5), in bits per dimension. Each term is
// for one x_t drawn from q. Row i of S belongs to index i of the schedule. All tensors are float64 on the CPU.
struct BoundTerms {
    at::Tensor vb;           // [S, N]: KL(q(x_{t−1}|x_t,x_0) ‖ p_θ(x_{t−1}|x_t)); at i = 0 −log2 P(bin of x_0)
    at::Tensor x_start_mse;  // [S, N]: mean squared error of x̂_0
    at::Tensor eps_mse;      // [S, N]: mean squared error of ε̂
    at::Tensor prior;        // [N]: KL(q(x_{T−1}|x_0) ‖ N(0, I))

    at::Tensor total() const;  // [N]: the bound, the sum of vb over S and of prior
};

// Computes the bound of the chain over `schedule`, respaced or not, without gradients. x_start: [N,…] floating, with the values
// 2·v/255 − 1, on the network's device; the network gets x_t in the same dtype. y: [N] int64 on the same device, or undefined.
// noise(t), shaped like x_start, is called with each t of schedule.original_t() in ascending order. `on_term`, which may be
// empty, gets the number of terms done, 1 … S. The papers' code clips x̂_0; for that, give a ClippedDenoiser.
BoundTerms bound_terms(const Denoiser& denoiser, const NoiseSchedule& schedule, const at::Tensor& x_start, const at::Tensor& y,
                       const BoundSettings& settings, const NoiseSource& noise,
                       const std::function<void(int64_t done)>& on_term = {});

// Returns the noise of images first … first+count−1, [count, …shape] float32 on the CPU. The noise of image i at t follows from
// (seed, t, i) alone. So an image has the same terms in every batch, and a chain over fewer t has the x_t of the whole chain.
NoiseSource bound_noise(uint64_t seed, int64_t first, int64_t count, const std::vector<int64_t>& shape);

// Collects the means of BoundTerms over images, in the units of BoundTerms. They do not depend on how the images were divided into
// batches. Without images they are NaN.
class BoundMean {
public:
    void add(const BoundTerms& terms);  // all of one schedule

    int64_t images() const { return static_cast<int64_t>(totals_.size()); }
    double total() const;           // in bits per dimension, as the next two
    double standard_error() const;  // of total() over the images; NaN for a single one
    double prior() const { return prior_ / static_cast<double>(images()); }
    // The means of the tensors of the same names, by index of the schedule.
    std::vector<double> vb() const { return mean(vb_); }
    std::vector<double> x_start_mse() const { return mean(x_start_mse_); }
    std::vector<double> eps_mse() const { return mean(eps_mse_); }

private:
    std::vector<double> mean(std::vector<double> sums) const;

    std::vector<double> vb_, x_start_mse_, eps_mse_;  // sums over the images
    double prior_ = 0;
    std::vector<double> totals_;
};

}  // namespace ddpm
