#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/diffusion/level.h"
#include "ddpm/diffusion/options.h"

namespace ddpm {

// A float64 quantity for each t. Copies share their memory.
class Table {
public:
    Table() = default;
    explicit Table(const std::vector<double>& values);

    int64_t size() const { return values_.size(0); }
    double operator[](int64_t t) const { return begin()[t]; }
    double back() const { return begin()[size() - 1]; }
    const double* begin() const { return values_.const_data_ptr<double>(); }
    const double* end() const { return begin() + size(); }

    // Returns the entries of `t` ([N] int64, any device), shaped [N,1,…,1] to multiply `like` ([N,…], floating point), in
    // its dtype and on its device. They are gathered in float64 on the device of t. For a device other than the CPU a copy
    // of the table is kept.
    at::Tensor gather(const at::Tensor& t, const at::Tensor& like) const;

private:
    struct DeviceCopies;
    at::Tensor on(const at::Device& device) const;

    at::Tensor values_;
    std::shared_ptr<DeviceCopies> copies_;
};

// β_t and everything that follows from it (arXiv 2006.11239), in float64. Immutable; copies share their tables.
// t is 0 … T−1 and t = 0 already carries one step of noise: ᾱ_{−1} = 1.
class NoiseSchedule {
public:
    // At least one beta, each 0 < β_t < 1; the last one may be 1 (zero terminal SNR). Anything else is a user_error.
    explicit NoiseSchedule(const std::vector<double>& betas);

    int64_t size() const { return betas_.size(); }  // T

    const Table& betas() const { return betas_; }
    const Table& alphas_cumprod() const { return alphas_cumprod_; }                                // ᾱ_t
    const Table& alphas_cumprod_prev() const { return alphas_cumprod_prev_; }                      // ᾱ_{t−1}
    const Table& sqrt_alphas_cumprod() const { return sqrt_alphas_cumprod_; }                      // a_t = √ᾱ_t
    const Table& sqrt_one_minus_alphas_cumprod() const { return sqrt_one_minus_alphas_cumprod_; }  // σ_t = √(1−ᾱ_t)
    const Table& log_snr() const { return log_snr_; }                                              // ln(ᾱ_t/(1−ᾱ_t))
    const Table& log_betas() const { return log_betas_; }                                          // ln β_t

    // q(x_{t−1}|x_t,x_0) = N(coef1·x_0 + coef2·x_t, β̃_t), eq. 6 and 7.
    const Table& posterior_mean_coef1() const { return posterior_mean_coef1_; }
    const Table& posterior_mean_coef2() const { return posterior_mean_coef2_; }
    const Table& posterior_variance() const { return posterior_variance_; }  // β̃_t; 0 at t = 0
    // ln β̃_t; at t = 0, where that is −∞, it is ln β̃_1, as in the papers' code, and for T = 1 ln β_0.
    const Table& posterior_log_variance_clipped() const { return posterior_log_variance_clipped_; }

    // The level of index i, 0 … T−1; its t is original_t()[i]. clean_level() comes before index 0.
    NoiseLevel level(int64_t i) const { return levels_.at(static_cast<size_t>(i)); }
    const std::vector<NoiseLevel>& levels() const { return levels_; }  // by index
    NoiseLevel level_of_ratio(double k) const { return ddpm::level_of_ratio(levels_, k); }

    // Returns the chain over `timesteps` alone (strictly ascending, each 0 … T−1, at least one; else user_error), with
    // β'_i = 1 − ᾱ_i/ᾱ_prev (arXiv 2102.09672, section 4). It has the same ᾱ at those times, to the bit.
    NoiseSchedule respaced(const std::vector<int64_t>& timesteps) const;

    // The t by which a network knows index i of this schedule: i itself, or timesteps[i] after respaced().
    const std::vector<int64_t>& original_t() const { return original_t_; }

private:
    NoiseSchedule(const std::vector<double>& betas, std::vector<NoiseLevel> levels, std::vector<int64_t> original_t);

    std::vector<NoiseLevel> levels_;  // by index
    std::vector<int64_t> original_t_;
    Table betas_, alphas_cumprod_, alphas_cumprod_prev_, sqrt_alphas_cumprod_, sqrt_one_minus_alphas_cumprod_, log_snr_, log_betas_,
        posterior_mean_coef1_, posterior_mean_coef2_, posterior_variance_, posterior_log_variance_clipped_;
};

// The largest √ᾱ of a level at which sampling may begin with pure noise. Above it the network expects a visible picture
// there: what it makes of noise is murky (√ᾱ slightly above) or noise again (√ᾱ near 1). arXiv 2305.08891, section 3.
inline constexpr double kVisiblePicture = 0.1;

// Returns a warning that says what to change if √ᾱ_{T−1} > kVisiblePicture, else "".
std::string warning_of(const NoiseSchedule& schedule);

// Makes the schedule of checked options.
NoiseSchedule make_schedule(const DiffusionOptions& options);

// Whether x_t is as noisy at every t in both, to what tables of float32 resolve: the same T, and ᾱ_t within 1e-6.
bool same_noise(const NoiseSchedule& a, const NoiseSchedule& b);

// Throws user_error unless `timesteps` is strictly ascending, within 0 … T−1 and not empty.
void check_timesteps(const std::vector<int64_t>& timesteps, int64_t T);

}  // namespace ddpm
