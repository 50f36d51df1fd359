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
    : values_(at::empty({static_cast<int64_t>(values.size())}, at::kDouble)), copies_(std::make_shared<DeviceCopies>()) {
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

std::vector<NoiseLevel> levels_of(const std::vector<double>& betas) {
    if (betas.empty()) user_error("noise schedule: no betas; expected at least one");
    std::vector<NoiseLevel> levels;
    double log_alpha_bar = 0;
    for (size_t t = 0; t < betas.size(); ++t) {
        const bool may_be_one = t + 1 == betas.size();
        if (!(betas[t] > 0 && (betas[t] < 1 || (may_be_one && betas[t] == 1))))
            user_error(fmt::format("noise schedule: beta[{}] is {}; expected above 0 and below 1", t, betas[t]));
        log_alpha_bar += std::log1p(-betas[t]);  // −∞ for β = 1; every formula below holds for it
        levels.push_back(noise_level(log_alpha_bar / 2, static_cast<double>(t)));
    }
    return levels;
}

std::vector<int64_t> counted(size_t count) {
    std::vector<int64_t> indices(count);
    std::iota(indices.begin(), indices.end(), 0);
    return indices;
}

}  // namespace

NoiseSchedule::NoiseSchedule(const std::vector<double>& betas) : NoiseSchedule(betas, levels_of(betas), counted(betas.size())) {}

NoiseSchedule::NoiseSchedule(const std::vector<double>& betas, std::vector<NoiseLevel> levels, std::vector<int64_t> original_t)
    : levels_(std::move(levels)), original_t_(std::move(original_t)), betas_(betas) {
    const size_t T = betas.size();
    std::vector<double> alpha_bar(T), alpha_bar_prev(T), a(T), sigma(T), log_snr(T), log_beta(T), coef1(T), coef2(T), variance(T),
        log_variance(T);
    for (size_t t = 0; t < T; ++t) {
        const NoiseLevel& level = levels_[t];
        const NoiseLevel previous = t == 0 ? clean_level() : levels_[t - 1];
        const PosteriorStep step = posterior_step(level, previous, betas[t]);
        alpha_bar[t] = std::exp(2 * level.log_alpha);
        alpha_bar_prev[t] = std::exp(2 * previous.log_alpha);
        a[t] = level.alpha;
        sigma[t] = level.sigma;
        log_snr[t] = 2 * level.log_alpha - std::log(-std::expm1(2 * level.log_alpha));
        log_beta[t] = std::log(betas[t]);
        coef1[t] = step.coef1;
        coef2[t] = step.coef2;
        variance[t] = step.variance;
        log_variance[t] = std::log(step.variance);
    }
    log_variance[0] = T > 1 ? log_variance[1] : log_beta[0];

    alphas_cumprod_ = Table(alpha_bar);
    alphas_cumprod_prev_ = Table(alpha_bar_prev);
    sqrt_alphas_cumprod_ = Table(a);
    sqrt_one_minus_alphas_cumprod_ = Table(sigma);
    log_snr_ = Table(log_snr);
    log_betas_ = Table(log_beta);
    posterior_mean_coef1_ = Table(coef1);
    posterior_mean_coef2_ = Table(coef2);
    posterior_variance_ = Table(variance);
    posterior_log_variance_clipped_ = Table(log_variance);
}

NoiseSchedule NoiseSchedule::respaced(const std::vector<int64_t>& timesteps) const {
    check_timesteps(timesteps, size());
    std::vector<double> betas;
    std::vector<NoiseLevel> levels;
    std::vector<int64_t> original_t;
    NoiseLevel previous = clean_level();
    for (const int64_t t : timesteps) {
        levels.push_back(level(t));
        betas.push_back(posterior_step(levels.back(), previous).beta);
        original_t.push_back(original_t_[t]);
        previous = levels.back();
    }
    return NoiseSchedule(betas, std::move(levels), std::move(original_t));
}

std::string warning_of(const NoiseSchedule& schedule) {
    const double left = schedule.sqrt_alphas_cumprod().back();
    if (left <= kVisiblePicture) return "";
    return fmt::format(
        "√ᾱ = {:.2f} of the picture is left at the last t, {}: the network never meets pure noise, but sampling begins with "
        "it, so the pictures come out murky; take more timesteps, a larger beta_end, the cosine schedule or "
        "zero_terminal_snr",
        left, schedule.size() - 1);
}

NoiseSchedule make_schedule(const DiffusionOptions& options) { return NoiseSchedule(make_betas(options)); }

void check_timesteps(const std::vector<int64_t>& timesteps, int64_t T) {
    if (timesteps.empty()) user_error("timesteps: none given; expected at least one");
    for (size_t i = 0; i < timesteps.size(); ++i) {
        if (timesteps[i] < 0 || timesteps[i] >= T)
            user_error(fmt::format("timesteps: {} is outside the schedule; expected 0 … {}", timesteps[i], T - 1));
        if (i > 0 && timesteps[i] <= timesteps[i - 1])
            user_error(fmt::format("timesteps: {} follows {}; expected an ascending list", timesteps[i], timesteps[i - 1]));
    }
}

bool same_noise(const NoiseSchedule& a, const NoiseSchedule& b) {
    return a.size() == b.size() && std::equal(a.alphas_cumprod().begin(), a.alphas_cumprod().end(), b.alphas_cumprod().begin(),
                                              [](double x, double y) { return std::abs(x - y) < 1e-6; });
}

}  // namespace ddpm
