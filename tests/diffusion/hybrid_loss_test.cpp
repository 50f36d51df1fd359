// L_hybrid (arXiv 2102.09672, eq. 16) beside a restatement of its own, number by number.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "ddpm/diffusion/loss_weighting.h"
#include "ddpm/diffusion/objective.h"
#include "diffusion/statistics.h"
#include "support/errors.h"

namespace ddpm {
namespace {

constexpr int64_t kN = 8, kNumbers = 12;

struct Example {
    at::Tensor t = at::tensor({0, 0, 1, 2, 60, 500, 998, 999}, at::kLong);
    // Values of pictures, black and white among them.
    at::Tensor x_start = (at::arange(kN * kNumbers, at::kDouble) * 85).remainder(256).view({kN, 3, 2, 2}) * 2 / 255 - 1;
    at::Tensor noise = (at::arange(kN * kNumbers, at::kDouble) * 1.7).sin().view({kN, 3, 2, 2}) * 1.4;
    at::Tensor fraction = (at::arange(kN * kNumbers, at::kDouble) * 2.3).cos().view({kN, 3, 2, 2}) * 1.2;  // v, also beyond ±1
};

// The network's answer: nearly right, and v.
at::Tensor answer_of(const NoiseSchedule& schedule, PredictionType type, const Example& e) {
    const at::Tensor wrong = (at::arange(kN * kNumbers, at::kDouble) * 0.9).sin().view({kN, 3, 2, 2}) * 0.01;
    return at::cat({training_target(schedule, type, e.x_start, e.t, e.noise) + wrong, e.fraction}, 1);
}

// The schedule in long double, from the betas alone. lost = 1 − ᾱ.
struct Chain {
    std::vector<long double> beta, abar, lost;

    explicit Chain(const Table& betas) {
        long double product = 1, gone = 0;
        for (const double b : betas) {
            gone += b * product;
            product *= 1 - static_cast<long double>(b);
            beta.push_back(b);
            abar.push_back(product);
            lost.push_back(gone);
        }
    }
    long double before(int64_t t) const { return t == 0 ? 1 : abar[static_cast<size_t>(t - 1)]; }
    long double lost_before(int64_t t) const { return t == 0 ? 0 : lost[static_cast<size_t>(t - 1)]; }
    long double tilde(int64_t t) const { return beta[static_cast<size_t>(t)] * lost_before(t) / lost[static_cast<size_t>(t)]; }
};

struct Restated {
    std::vector<double> loss;        // [N]
    std::vector<double> prediction;  // ∂(mean loss)/∂answer, [N·numbers]
    std::vector<double> fraction;    // the same for v
    // [N]: what the numbers are made of cancels where L_t is nearly 0, so they are right to this times the rounding of a number near 1.
    std::vector<double> scale, scale_of_fraction;
};

double density(double x) { return std::exp(-0.5 * x * x) / std::sqrt(2 * std::numbers::pi); }

Restated restate(const Chain& chain, PredictionType type, const std::vector<double>& weight, const Example& e,
                 const at::Tensor& answer) {
    Restated all;
    const double T = static_cast<double>(chain.beta.size());
    for (int64_t n = 0; n < kN; ++n) {
        const int64_t t = e.t[n].item<int64_t>();
        const double a = static_cast<double>(std::sqrt(chain.abar[static_cast<size_t>(t)]));
        const double sigma = static_cast<double>(std::sqrt(chain.lost[static_cast<size_t>(t)]));
        const double log_beta = static_cast<double>(std::log(chain.beta[static_cast<size_t>(t)]));
        const double log_tilde = static_cast<double>(std::log(chain.tilde(t == 0 ? 1 : t)));
        const double coef1 = static_cast<double>(chain.beta[static_cast<size_t>(t)] * std::sqrt(chain.before(t)) /
                                                 chain.lost[static_cast<size_t>(t)]);
        const double w = weight[static_cast<size_t>(t)], lambda = 0.001 * T / std::numbers::ln2;
        double square = 0, bound = 0;
        for (int64_t i = 0; i < kNumbers; ++i) {
            const auto number = [&](const at::Tensor& x, int64_t at) { return x[n].flatten()[at].item<double>(); };
            const double x0 = number(e.x_start, i), eps = number(e.noise, i), x_t = a * x0 + sigma * eps;
            const double said = number(answer, i), v = number(answer, kNumbers + i);
            const double target = type == PredictionType::epsilon  ? eps
                                  : type == PredictionType::sample ? x0
                                                                   : a * eps - sigma * x0;
            const double guess = type == PredictionType::epsilon  ? (x_t - sigma * said) / a
                                 : type == PredictionType::sample ? said
                                                                  : a * x_t - sigma * said;
            square += (said - target) * (said - target) / kNumbers;
            all.prediction.push_back(w * 2 * (said - target) / kNumbers / kN);
            const double f = (v + 1) / 2, log_variance = f * log_beta + (1 - f) * log_tilde, by_v = (log_beta - log_tilde) / 2;
            double term = 0, by_log_variance = 0;
            if (t > 0) {
                const double apart = coef1 * (x0 - guess), ratio = (std::exp(log_tilde) + apart * apart) / std::exp(log_variance);
                term = 0.5 * (log_variance - log_tilde + ratio - 1);
                by_log_variance = 0.5 * (1 - ratio);
            } else {  // the mean is x̂_0 itself
                const double s = std::exp(log_variance / 2);
                const double upper = (x0 - guess + 1 / 255.0) / s, lower = (x0 - guess - 1 / 255.0) / s;
                const bool black = x0<-0.999, white = x0> 0.999;
                const double P = (white ? 1 : normal_cdf(upper)) - (black ? 0 : normal_cdf(lower));
                const double slope = (white ? 0 : density(upper) * upper) - (black ? 0 : density(lower) * lower);
                term = -std::log(std::max(P, 1e-12));
                by_log_variance = P > 1e-12 ? 0.5 * slope / P : 0;
            }
            bound += term / kNumbers;
            all.fraction.push_back(lambda * by_log_variance * by_v / kNumbers / kN);
        }
        all.loss.push_back(w * square + lambda * bound);
        all.scale.push_back(lambda);
        all.scale_of_fraction.push_back(lambda * (log_beta - log_tilde) / 2 / kNumbers / kN);
    }
    return all;
}

struct Case {
    const char* schedule;
    PredictionType type;
    const char* weighting;
    bool zero_terminal_snr = false;
};

const Case kCases[] = {{"linear", PredictionType::epsilon, "simple"},
                       {"cosine", PredictionType::epsilon, "min_snr"},
                       {"cosine", PredictionType::v_prediction, "p2"},
                       {"linear", PredictionType::sample, "truncated_snr"},
                       {"cosine", PredictionType::v_prediction, "simple", true},
                       {"linear", PredictionType::sample, "simple", true}};

struct Judged {
    at::Tensor loss, mse, gradient;  // the gradient of the mean loss for the answer
};

Judged judge(const Objective& objective, const Example& e, const at::Tensor& answer) {
    at::Tensor leaf = answer.detach().clone().set_requires_grad(true);
    const Objective::Judged judged = objective.judge([&](const at::Tensor&) { return leaf; }, e.x_start.to(answer.scalar_type()),
                                                     e.t, e.noise.to(answer.scalar_type()));
    judged.loss.mean().backward();
    return {judged.loss.detach(), judged.mse.detach(), leaf.grad()};
}

// The largest difference, less what `rounding` allows, over the largest value.
double off(const at::Tensor& ours, const at::Tensor& expected, double rounding = 0) {
    const double difference = (ours.to(at::kDouble) - expected).abs().max().item<double>();
    return std::max(0.0, difference - rounding) / expected.abs().max().item<double>();
}

TEST(HybridLoss, ValueAndGradientsAreThoseOfTheEquations) {
    // The logarithms of variances, of a size up to 16, are rounded before exp().
    constexpr double kExact = 64 * std::numeric_limits<double>::epsilon(), kRounded = 64 * std::numeric_limits<float>::epsilon();
    const Example e;
    for (const Case& c : kCases) {
        DiffusionOptions diffusion;
        diffusion.schedule = c.schedule;
        diffusion.zero_terminal_snr = c.zero_terminal_snr;
        LossOptions loss;
        loss.loss_weighting = c.weighting;
        const NoiseSchedule schedule = make_schedule(diffusion);
        const Objective objective(schedule, c.type, loss, VarianceType::learned_range);
        const at::Tensor answer = answer_of(schedule, c.type, e);
        const Restated expected =
            restate(Chain(schedule.betas()), c.type, loss_weights(loss, c.type, schedule.levels()), e, answer);
        const Judged exact = judge(objective, e, answer), rounded = judge(objective, e, answer.to(at::kFloat));
        const at::Tensor by_prediction = at::tensor(expected.prediction, at::kDouble).view({kN, 3, 2, 2});
        const at::Tensor by_fraction = at::tensor(expected.fraction, at::kDouble).view({kN, 3, 2, 2});
        for (int64_t n = 0; n < kN; ++n) {
            const double value = expected.loss[static_cast<size_t>(n)];
            const std::string where =
                std::string(c.schedule) + " " + c.weighting + " t = " + std::to_string(e.t[n].item<int64_t>());
            const double scale = expected.scale[static_cast<size_t>(n)],
                         scale_of_fraction = expected.scale_of_fraction[static_cast<size_t>(n)];
            EXPECT_NEAR(exact.loss[n].item<double>(), value, 1e-9 * value + kExact * scale) << where;
            EXPECT_NEAR(rounded.loss[n].item<double>(), value, 1e-4 * value + kRounded * scale) << where;
            EXPECT_LT(off(exact.gradient[n].slice(0, 0, 3), by_prediction[n]), 1e-9) << where;
            EXPECT_LT(off(exact.gradient[n].slice(0, 3), by_fraction[n], kExact * scale_of_fraction), 1e-9) << where;
            EXPECT_LT(off(rounded.gradient[n].slice(0, 3), by_fraction[n], kRounded * scale_of_fraction), 1e-3) << where;
        }
    }
}

// The prediction's gradient is that of the squared error to the bit, and the comparable error the same.
TEST(HybridLoss, OnlyTheVarianceFeelsTheBound) {
    const Example e;
    const NoiseSchedule schedule = make_schedule(DiffusionOptions{});
    LossOptions loss;
    loss.loss_weighting = "min_snr";
    for (const PredictionType type : {PredictionType::epsilon, PredictionType::sample, PredictionType::v_prediction}) {
        const at::Tensor answer = answer_of(schedule, type, e);
        const Judged hybrid = judge(Objective(schedule, type, loss, VarianceType::learned_range), e, answer);
        const Judged plain = judge(Objective(schedule, type, loss), e, answer.slice(1, 0, 3));
        EXPECT_TRUE(at::equal(hybrid.gradient.slice(1, 0, 3), plain.gradient));
        EXPECT_TRUE(at::equal(hybrid.mse, plain.mse));
        EXPECT_TRUE((hybrid.loss > plain.loss).all().item<bool>());
        EXPECT_TRUE((hybrid.gradient.slice(1, 3).flatten(1).abs().sum(1) > 0).all().item<bool>());
    }
}

// For x_0 ~ N(0, s²) and the best ε the best Σ is Var(x_{t−1}|x_t) = β̃_t + coef1²·s²σ²/(a²s² + σ²): there the expected gradient is 0, below
// it Σ is too small and above it too large. x_0 = ±s with ε = ±1 have the expectations of the Gaussians, because L_t is of degree 2.
TEST(HybridLoss, IsLeastAtTheTrueVariance) {
    const NoiseSchedule schedule = make_schedule(DiffusionOptions{});
    const Objective objective(schedule, PredictionType::epsilon, {}, VarianceType::learned_range);
    constexpr double s = 0.3;
    const at::Tensor x_start = at::tensor({-s, -s, s, s}, at::kDouble).view({4, 1, 1, 1});
    const at::Tensor noise = at::tensor({-1.0, 1.0, -1.0, 1.0}, at::kDouble).view({4, 1, 1, 1});
    for (const int64_t t : {1, 10, 300, 700, 990}) {
        const double a = schedule.sqrt_alphas_cumprod()[t], sigma = schedule.sqrt_one_minus_alphas_cumprod()[t];
        const double V = a * a * s * s + sigma * sigma, coef1 = schedule.posterior_mean_coef1()[t];
        const double log_tilde = std::log(schedule.posterior_variance()[t]);
        const double best = std::log(schedule.posterior_variance()[t] + coef1 * coef1 * s * s * sigma * sigma / V);
        const double f = (best - log_tilde) / (std::log(schedule.betas()[t]) - log_tilde);
        EXPECT_GT(f, 0);
        EXPECT_LT(f, 1);
        const auto slope = [&](double fraction) {
            at::Tensor v = at::scalar_tensor(2 * fraction - 1, at::kDouble).set_requires_grad(true);
            const auto model = [&](const at::Tensor& x_t) { return at::cat({sigma / V * x_t, v.expand({4, 1, 1, 1})}, 1); };
            objective.judge(model, x_start, at::full({4}, t, at::kLong), noise).loss.mean().backward();
            return v.grad().item<double>();
        };
        EXPECT_LT(slope(f - 0.1), 0) << t;
        EXPECT_GT(slope(f + 0.1), 0) << t;
        EXPECT_LT(std::abs(slope(f)), 1e-9 * (slope(f + 0.1) - slope(f - 0.1))) << t;
    }
}

TEST(HybridLoss, WantsTwiceTheChannels) {
    const Example e;
    const NoiseSchedule schedule = make_schedule(DiffusionOptions{});
    const auto told = [&](VarianceType variance, int64_t channels) {
        const Objective objective(schedule, PredictionType::epsilon, {}, variance);
        return error_of(
            [&] {
                objective.judge([&](const at::Tensor&) { return at::zeros({kN, channels, 2, 2}); }, e.x_start, e.t, e.noise);
            },
            Error::Kind::runtime);
    };
    EXPECT_SAYS(told(VarianceType::learned_range, 3), "answers [8, 3, 2, 2] to [8, 3, 2, 2], expected [8, 6, 2, 2]");
    EXPECT_SAYS(told(VarianceType::fixed_small, 6), "expected [8, 3, 2, 2]");
    EXPECT_EQ(told(VarianceType::learned_range, 6), "no error");
}

// Under autocast the answer is bfloat16; the loss is not.
TEST(HybridLoss, IsAtLeastFloat32) {
    const Example e;
    const NoiseSchedule schedule = make_schedule(DiffusionOptions{});
    const Objective objective(schedule, PredictionType::epsilon, {}, VarianceType::learned_range);
    const at::Tensor answer = answer_of(schedule, PredictionType::epsilon, e).to(at::kBFloat16);
    const Objective::Judged judged =
        objective.judge([&](const at::Tensor&) { return answer; }, e.x_start.to(at::kFloat), e.t, e.noise.to(at::kFloat));
    EXPECT_EQ(judged.loss.scalar_type(), at::kFloat);
    EXPECT_TRUE(judged.loss.isfinite().all().item<bool>());
}

}  // namespace
}  // namespace ddpm
