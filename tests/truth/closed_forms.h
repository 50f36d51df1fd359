#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "sampling/toys.h"

namespace ddpm {

inline at::Tensor numbers(const std::vector<double>& values) { return at::tensor(values, at::kDouble); }

// Data with the distribution Σ w_k·N(m_k, C_k) in D dimensions. A component with C_k = 0 is a point.
// x_t is Σ w_k·N(a·m_k, V_k), V_k = a²·C_k + σ²·I, and the ε that minimises the expected squared error is
// E[ε|x_t] = −σ·∇ln q(x_t) = σ·Σ r_k(x_t)·V_k⁻¹(x_t − a·m_k) with responsibilities r.
struct GaussianMixture {
    at::Tensor weight;      // [K], float64 like the others; adds up to 1
    at::Tensor mean;        // [K, D]
    at::Tensor covariance;  // [K, D, D]

    // Returns the network that answers this ε, for x_t [N,…] of D numbers each.
    Network optimal_eps(const NoiseSchedule& schedule) const {
        const int64_t K = mean.size(0), D = mean.size(1);
        const auto [variances, vectors] = at::linalg_eigh(covariance);  // [K, D], [K, D, D]
        // Rows k·D … k·D + D−1 of `axes` are the axes of component k, and those of `centre` the coordinates of its mean along them.
        const at::Tensor axes = vectors.transpose(1, 2).reshape({K * D, D}).contiguous();
        const at::Tensor centre = at::matmul(vectors.transpose(1, 2), mean.unsqueeze(2)).reshape({K * D, 1});
        return [=, variances = variances.reshape({K * D, 1}), log_w = weight.log().unsqueeze(1)](
                   const at::Tensor& x_t, const at::Tensor& times, const at::Tensor&) {
            const int64_t t = times[0].item<int64_t>(), N = x_t.size(0);
            const double a = schedule.sqrt_alphas_cumprod()[t], sigma_t = schedule.sqrt_one_minus_alphas_cumprod()[t];
            const at::Tensor V = a * a * variances + sigma_t * sigma_t;
            const at::Tensor centred = at::matmul(axes, x_t.to(at::kDouble).reshape({N, D}).t()) - a * centre;  // [K·D, N]
            at::Tensor slope = centred / V;
            if (K > 1) {
                const at::Tensor log_weight =
                    log_w - 0.5 * V.log().view({K, D}).sum(1, true) - 0.5 * (centred * slope).view({K, D, N}).sum(1);
                slope = (log_weight.softmax(0).unsqueeze(1) * slope.view({K, D, N})).view({K * D, N});
            }
            return at::matmul(slope.t(), sigma_t * axes).view(x_t.sizes()).to(x_t.scalar_type());
        };
    }

    at::Tensor total_mean() const { return at::matmul(weight, mean); }
    at::Tensor total_covariance() const {
        const at::Tensor centred = mean - total_mean();
        return (weight.view({-1, 1, 1}) * (covariance + centred.unsqueeze(2) * centred.unsqueeze(1))).sum(0);
    }
};

inline GaussianMixture one_gaussian(const at::Tensor& mean, const at::Tensor& covariance) {
    return {at::ones({1}, at::kDouble), mean.unsqueeze(0), covariance.unsqueeze(0)};
}

// Returns a mixture whose components have the same deviation in every direction.
inline GaussianMixture round_mixture(const at::Tensor& weight, const at::Tensor& mean, const at::Tensor& deviation) {
    return {weight, mean, deviation.square().view({-1, 1, 1}) * at::eye(mean.size(1), at::kDouble).unsqueeze(0)};
}

inline GaussianMixture mixture_on_a_line(const std::vector<double>& weight, const std::vector<double>& mean,
                                         const std::vector<double>& deviation) {
    return round_mixture(numbers(weight), numbers(mean).unsqueeze(1), numbers(deviation));
}

// A sampler with its settings.
struct Way {
    const char* name;
    const char* sampler;
    VarianceType variance;
    double eta;

    // Returns the settings for a walk over these times, without clipping.
    ResolvedSampling over(const NoiseSchedule& schedule, const std::vector<int64_t>& timesteps) const {
        ResolvedSampling settings;
        settings.sampler = sampler;
        settings.levels = walk_over(schedule, timesteps);
        settings.variance = variance;
        settings.eta = eta;
        settings.clip = false;
        return settings;
    }
};

inline const std::vector<Way>& ways() {
    static const std::vector<Way> all = {
        {"ancestral, fixed_small", "ancestral", VarianceType::fixed_small, 0},
        {"ancestral, fixed_large", "ancestral", VarianceType::fixed_large, 0},
        {"ddim, eta 0", "ddim", VarianceType::fixed_small, 0},
        {"ddim, eta 0.5", "ddim", VarianceType::fixed_small, 0.5},
        {"ddim, eta 1", "ddim", VarianceType::fixed_small, 1},
    };
    return all;
}

// A Gaussian distribution.
struct Law {
    at::Tensor mean;        // [D]
    at::Tensor covariance;  // [D, D]
};

inline Law standard_normal(int64_t D) { return {at::zeros({D}, at::kDouble), at::eye(D, at::kDouble)}; }

// Returns the distribution of x_t at the last t.
inline Law noised(const Law& data, const NoiseSchedule& schedule) {
    const double a = schedule.sqrt_alphas_cumprod().back(), sigma_t = schedule.sqrt_one_minus_alphas_cumprod().back();
    return {a * data.mean, a * a * data.covariance + sigma_t * sigma_t * at::eye(data.mean.size(0), at::kDouble)};
}

// Computes, from the equations, the distribution of a sampler's results for Gaussian data and x_T ~ `start`. Along each axis of the
// data's covariance x̂_0 = A·x + B, so that each step maps a Gaussian to a Gaussian.
inline Law law_by_equations(const Law& data, const NoiseSchedule& schedule, const Way& way, const Law& start) {
    const auto [variances, axes] = at::linalg_eigh(data.covariance);
    const at::Tensor m = at::matmul(data.mean, axes);
    at::Tensor mean = at::matmul(start.mean, axes);
    at::Tensor covariance = at::matmul(axes.t(), at::matmul(start.covariance, axes));
    for (int64_t t = schedule.size() - 1; t >= 0; --t) {
        const double a = schedule.sqrt_alphas_cumprod()[t], sigma_t = schedule.sqrt_one_minus_alphas_cumprod()[t];
        const at::Tensor V = a * a * variances + sigma_t * sigma_t;
        const at::Tensor A = a * variances / V, B = sigma_t * sigma_t * m / V;
        at::Tensor slope, offset;
        double added;
        if (std::string(way.sampler) == "ancestral") {
            const double beta = schedule.betas()[t], abar_prev = schedule.alphas_cumprod_prev()[t];
            const double coef1 = std::sqrt(abar_prev) * beta / (sigma_t * sigma_t);
            slope = coef1 * A + std::sqrt(1 - beta) * (1 - abar_prev) / (sigma_t * sigma_t);
            offset = coef1 * B;
            added = t == 0 ? 0 : way.variance == VarianceType::fixed_large ? beta : beta * (1 - abar_prev) / (sigma_t * sigma_t);
        } else {
            const double abar_p = schedule.alphas_cumprod_prev()[t];
            added = way.eta * way.eta * (1 - abar_p) / (sigma_t * sigma_t) * (1 - a * a / abar_p);
            const double direction = std::sqrt(std::max(0.0, 1 - abar_p - added)) / sigma_t;
            slope = std::sqrt(abar_p) * A + direction * (1 - a * A);
            offset = std::sqrt(abar_p) * B - direction * a * B;
        }
        mean = slope * mean + offset;
        covariance = slope.unsqueeze(1) * covariance * slope.unsqueeze(0) + added * at::eye(m.size(0), at::kDouble);
    }
    return {at::matmul(axes, mean), at::matmul(axes, at::matmul(covariance, axes.t()))};
}

// Computes the same distribution by running the sampler. x̂_0 is linear in x, so the result is M·x_T + Σ_i N_i·z_i + c. The results
// for 0 and for each unit vector, as x_T or as the noise of one step, give M, N_i and c. All are one batch, and nothing is random.
inline Law law_by_sampling(const Law& data, const NoiseSchedule& schedule, const Way& way, const std::vector<int64_t>& timesteps,
                           const Law& start) {
    const int64_t D = data.mean.size(0), S = static_cast<int64_t>(timesteps.size()), N = 1 + D + S * D;
    const at::Tensor unit = at::eye(D, at::kDouble);
    const auto with_unit_rows = [&](int64_t first) {
        at::Tensor rows = at::zeros({N, D}, at::kDouble);
        rows.slice(0, first, first + D).copy_(unit);
        return rows;
    };
    const at::Tensor answers =
        sample_from(one_gaussian(data.mean, data.covariance).optimal_eps(schedule), PredictionType::epsilon, with_unit_rows(1),
                    way.over(schedule, timesteps), [&](int64_t i) { return with_unit_rows(1 + D + i * D); });
    const at::Tensor c = answers[0], linear = answers.slice(0, 1) - c;  // rows are columns of M, N_0, N_1, …
    const at::Tensor M = linear.slice(0, 0, D).t(), noise = linear.slice(0, D);
    return {c + at::matmul(M, start.mean), at::matmul(M, at::matmul(start.covariance, M.t())) + at::matmul(noise.t(), noise)};
}

inline double largest(const at::Tensor& difference) { return difference.abs().max().item<double>(); }

}  // namespace ddpm
