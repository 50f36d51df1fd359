#include "ddpm/diffusion/schedule.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/diffusion/betas.h"

namespace ddpm {

struct Table::DeviceCopies {
    std::mutex mutex;
    std::vector<at::Tensor> tensors;
};

Table::Table(const std::vector<double>& values)
    : values_(at::empty({static_cast<int64_t>(values.size())}, at::kDouble)),
      copies_(std::make_shared<DeviceCopies>()) {
    std::copy(values.begin(), values.end(), values_.mutable_data_ptr<double>());
}

at::Tensor Table::on(const at::Device& device) const {
    if (device == values_.device()) return values_;
    const std::lock_guard lock(copies_->mutex);
    for (const at::Tensor& copy : copies_->tensors)
        if (copy.device() == device) return copy;
    return copies_->tensors.emplace_back(values_.to(device));
}

at::Tensor Table::gather(const at::Tensor& t, const at::Tensor& like) const {
    std::vector<int64_t> shape(like.dim(), 1);
    shape[0] = t.size(0);
    return on(t.device()).index_select(0, t).to(like.options()).view(shape);
}

namespace {

std::vector<double> log_alphas_cumprod_of(const std::vector<double>& betas) {
    if (betas.empty()) user_error("noise schedule: no betas; expected at least one");
    std::vector<double> sums;
    double sum = 0;
    for (size_t t = 0; t < betas.size(); ++t) {
        const bool may_be_one = t + 1 == betas.size();
        if (!(betas[t] > 0 && (betas[t] < 1 || (may_be_one && betas[t] == 1))))
            user_error(fmt::format("noise schedule: beta[{}] is {}; expected above 0 and below 1", t, betas[t]));
        sum += std::log1p(-betas[t]);  // −∞ for β = 1, which every formula below bears
        sums.push_back(sum);
    }
    return sums;
}

std::vector<int64_t> counted(size_t count) {
    std::vector<int64_t> indices(count);
    std::iota(indices.begin(), indices.end(), 0);
    return indices;
}

}  // namespace

NoiseSchedule::NoiseSchedule(const std::vector<double>& betas)
    : NoiseSchedule(betas, log_alphas_cumprod_of(betas), counted(betas.size())) {}

NoiseSchedule::NoiseSchedule(const std::vector<double>& betas, std::vector<double> log_alphas_cumprod,
                             std::vector<int64_t> original_t)
    : log_alphas_cumprod_(std::move(log_alphas_cumprod)), original_t_(std::move(original_t)), betas_(betas) {
    const size_t T = betas.size();
    std::vector<double> alpha_bar(T), alpha_bar_prev(T), a(T), sigma(T), log_snr(T), coef1(T), coef2(T), variance(T),
        log_variance(T);
    for (size_t t = 0; t < T; ++t) {
        const double log_alpha_bar = log_alphas_cumprod_[t];
        const double log_alpha_bar_prev = t == 0 ? 0 : log_alphas_cumprod_[t - 1];
        // Near t = 0 the subtraction 1 − ᾱ_t would lose as many digits as β has zeros.
        const double one_minus = -std::expm1(log_alpha_bar);
        const double one_minus_prev = -std::expm1(log_alpha_bar_prev);
        alpha_bar[t] = std::exp(log_alpha_bar);
        alpha_bar_prev[t] = std::exp(log_alpha_bar_prev);
        a[t] = std::exp(log_alpha_bar / 2);
        sigma[t] = std::sqrt(one_minus);
        log_snr[t] = log_alpha_bar - std::log(one_minus);
        coef1[t] = betas[t] * std::exp(log_alpha_bar_prev / 2) / one_minus;
        coef2[t] = one_minus_prev * std::sqrt(1.0 - betas[t]) / one_minus;
        variance[t] = betas[t] * one_minus_prev / one_minus;
        log_variance[t] = std::log(variance[t]);
    }
    log_variance[0] = T > 1 ? log_variance[1] : std::log(betas[0]);

    alphas_cumprod_ = Table(alpha_bar);
    alphas_cumprod_prev_ = Table(alpha_bar_prev);
    sqrt_alphas_cumprod_ = Table(a);
    sqrt_one_minus_alphas_cumprod_ = Table(sigma);
    log_snr_ = Table(log_snr);
    posterior_mean_coef1_ = Table(coef1);
    posterior_mean_coef2_ = Table(coef2);
    posterior_variance_ = Table(variance);
    posterior_log_variance_clipped_ = Table(log_variance);
}

NoiseSchedule NoiseSchedule::respaced(const std::vector<int64_t>& timesteps) const {
    check_timesteps(timesteps, size());
    std::vector<double> betas, log_alphas_cumprod;
    std::vector<int64_t> original_t;
    double previous = 0;
    for (const int64_t t : timesteps) {
        log_alphas_cumprod.push_back(log_alphas_cumprod_[t]);
        betas.push_back(-std::expm1(log_alphas_cumprod_[t] - previous));
        original_t.push_back(original_t_[t]);
        previous = log_alphas_cumprod_[t];
    }
    return NoiseSchedule(betas, std::move(log_alphas_cumprod), std::move(original_t));
}

NoiseSchedule make_schedule(const DiffusionOptions& options) {
    return NoiseSchedule(make_betas(options));
}

void check_timesteps(const std::vector<int64_t>& timesteps, int64_t T) {
    if (timesteps.empty()) user_error("timesteps: none given; expected at least one");
    for (size_t i = 0; i < timesteps.size(); ++i) {
        if (timesteps[i] < 0 || timesteps[i] >= T)
            user_error(fmt::format("timesteps: {} is outside the schedule; expected 0 … {}", timesteps[i], T - 1));
        if (i > 0 && timesteps[i] <= timesteps[i - 1])
            user_error(
                fmt::format("timesteps: {} follows {}; expected an ascending list", timesteps[i], timesteps[i - 1]));
    }
}

}  // namespace ddpm
