#include "ddpm/diffusion/betas.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "ddpm/core/named_rows.h"

namespace ddpm {

namespace {

constexpr double kMaxBeta = 0.999;

std::vector<double> linspace(double first, double last, int64_t count) {
    std::vector<double> values(count, first);
    for (int64_t i = 1; i < count; ++i)
        values[i] = first + (last - first) * static_cast<double>(i) / static_cast<double>(count - 1);
    return values;
}

double logistic(double x) { return 1.0 / (1.0 + std::exp(-x)); }

// β_i = min(1 − ᾱ((i+1)/T)/ᾱ(i/T), 0.999). A constant factor of ᾱ cancels.
template <class AlphaBar>
std::vector<double> betas_of(AlphaBar alpha_bar, int64_t T) {
    std::vector<double> betas(T);
    double before = alpha_bar(0.0);
    for (int64_t i = 0; i < T; ++i) {
        const double after = alpha_bar(static_cast<double>(i + 1) / static_cast<double>(T));
        betas[i] = std::min(1.0 - after / before, kMaxBeta);
        before = after;
    }
    return betas;
}

// Ho et al.'s betas are made for T = 1000. A chain of another length ends in as much noise if its betas are 1000/T times as
// large.
double linear_scale(const DiffusionOptions& options) {
    return options.rescale ? 1000.0 / static_cast<double>(options.timesteps) : 1.0;
}

}  // namespace

std::vector<double> linear_betas(int64_t T, double beta_start, double beta_end) { return linspace(beta_start, beta_end, T); }

std::vector<double> scaled_linear_betas(int64_t T, double beta_start, double beta_end) {
    std::vector<double> betas = linspace(std::sqrt(beta_start), std::sqrt(beta_end), T);
    for (double& beta : betas) beta *= beta;
    return betas;
}

std::vector<double> cosine_betas(int64_t T) {
    constexpr double s = 0.008;
    return betas_of(
        [](double u) {
            const double cosine = std::cos((u + s) / (1 + s) * std::numbers::pi / 2);
            return cosine * cosine;
        },
        T);
}

std::vector<double> sigmoid_betas(int64_t T) {
    return betas_of([](double u) { return logistic(3) - logistic(6 * u - 3); }, T);
}

std::vector<double> diffusers_sigmoid_betas(int64_t T, double beta_start, double beta_end) {
    std::vector<double> betas = linspace(-6, 6, T);
    for (double& beta : betas) beta = logistic(beta) * (beta_end - beta_start) + beta_start;
    return betas;
}

std::vector<double> zero_terminal_snr_betas(const std::vector<double>& betas) {
    std::vector<double> a;  // √ᾱ_t
    double log_alpha_bar = 0;
    for (const double beta : betas) {
        log_alpha_bar += std::log1p(-beta);
        a.push_back(std::exp(log_alpha_bar / 2));
    }
    const double a_last = a.back();
    if (betas.size() < 2 || a_last >= a.front()) user_error("zero terminal SNR: needs at least two betas, all above 0");

    // The constant factor a_0/(a_0 − a_last) cancels from ᾱ_t/ᾱ_{t−1}.
    std::vector<double> rescaled = betas;
    for (size_t t = 1; t < betas.size(); ++t) {
        const double ratio = (a[t] - a_last) / (a[t - 1] - a_last);
        rescaled[t] = 1.0 - ratio * ratio;
    }
    return rescaled;
}

const std::vector<NoiseScheduleRule>& noise_schedules() {
    static const std::vector<NoiseScheduleRule> table = {
        {"linear", "beta rises evenly (Ho et al. 2020), for T other than 1000 rescaled by 1000/T",
         [](const DiffusionOptions& o) {
             const double s = linear_scale(o);
             return linear_betas(o.timesteps, s * o.beta_start, s * o.beta_end);
         }},
        {"cosine", "sqrt(alphas_cumprod) falls like a cosine (Nichol & Dhariwal 2021); kind to small pictures",
         [](const DiffusionOptions& o) { return cosine_betas(o.timesteps); }},
        {"sigmoid", "alphas_cumprod falls like a logistic curve (Jabri et al. 2022); for larger pictures",
         [](const DiffusionOptions& o) { return sigmoid_betas(o.timesteps); }},
        {"scaled_linear", "sqrt(beta) rises evenly (latent diffusion, Rombach et al. 2022)",
         [](const DiffusionOptions& o) { return scaled_linear_betas(o.timesteps, o.beta_start, o.beta_end); }},
    };
    return table;
}

std::vector<std::string> noise_schedule_names() { return names_of(noise_schedules()); }

const NoiseScheduleRule& noise_schedule_rule(const std::string& name) { return row_named(noise_schedules(), "schedule", name); }

std::vector<double> make_betas(const DiffusionOptions& options) {
    const std::vector<double> betas = noise_schedule_rule(options.schedule).betas(options);
    return options.zero_terminal_snr ? zero_terminal_snr_betas(betas) : betas;
}

}  // namespace ddpm
