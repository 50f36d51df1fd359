#include "ddpm/eval/bpd.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numbers>

#include <gtest/gtest.h>

#include "diffusion/statistics.h"
#include "sampling/toys.h"

namespace ddpm {
namespace {

double sum(const std::vector<double>& values) {
    double total = 0;
    for (const double value : values) total += value;
    return total;
}

// The ε that is best for N(m, s²): E[ε|x_t] = σ·(x_t − a·m)/(a²s² + σ²).
Network optimal_eps(const NoiseSchedule& schedule, double m, double s) {
    return [=](const at::Tensor& x, const at::Tensor& times, const at::Tensor&) {
        const int64_t t = times[0].item<int64_t>();
        const double a = schedule.sqrt_alphas_cumprod()[t], sigma_t = schedule.sqrt_one_minus_alphas_cumprod()[t];
        return sigma_t * (x - a * m) / (a * a * s * s + sigma_t * sigma_t);
    };
}

NetworkDenoiser gaussian_denoiser(const NoiseSchedule& schedule, double m, double s) {
    return {optimal_eps(schedule, m, s), PredictionType::epsilon};
}

constexpr double kMean = 0.1, kDeviation = 0.15;

// x_0 = m ± s and ε = ±1, each of the four as likely as the others: expectations of polynomials up to degree 3 in
// either are those of the Gaussians, and L_t is one of degree 2.
BoundTerms four_points(const Denoiser& denoiser, const NoiseSchedule& schedule, VarianceType variance) {
    const at::Tensor x_start = at::tensor({-1.0, -1.0, 1.0, 1.0}, at::kDouble).view({4, 1}) * kDeviation + kMean;
    const at::Tensor noise = at::tensor({-1.0, 1.0, -1.0, 1.0}, at::kDouble).view({4, 1});
    return bound_terms(denoiser, schedule, x_start, {}, {variance}, [&](int64_t) { return noise; });
}

// With the best ε the error of x̂_0 is Var(x_0|x_t) = s²σ²/(a²s² + σ²), and
// L_t = ½(ln Σ − ln β̃_t + (β̃_t + coef1²·Var(x_0|x_t))/Σ − 1), prior = ½(ᾱ(m² + s²) − ᾱ − ln(1 − ᾱ)): exact, so to
// rounding.
TEST(VariationalBound, OfAGaussianIsExact) {
    for (const char* name : {"linear", "cosine"}) {
        for (const int64_t S : {10, 1000}) {
            std::vector<int64_t> kept;
            for (int64_t i = 0; i < S; ++i) kept.push_back(i * (1000 / S));
            const NoiseSchedule schedule = schedule_of(name).respaced(kept);
            const NetworkDenoiser denoiser = gaussian_denoiser(schedule_of(name), kMean, kDeviation);
            for (const VarianceType variance : {VarianceType::fixed_small, VarianceType::fixed_large}) {
                const BoundTerms terms = four_points(denoiser, schedule, variance);
                for (int64_t t = 0; t < S; ++t) {
                    const double a = schedule.sqrt_alphas_cumprod()[t];
                    const double sigma_t = schedule.sqrt_one_minus_alphas_cumprod()[t];
                    const double V = a * a * kDeviation * kDeviation + sigma_t * sigma_t;
                    const double left = kDeviation * kDeviation * sigma_t * sigma_t / V;
                    EXPECT_NEAR(terms.x_start_mse[t].mean().item<double>() / left, 1, 1e-9) << name << t;
                    EXPECT_NEAR(terms.eps_mse[t].mean().item<double>() / (a * a * kDeviation * kDeviation / V), 1, 1e-9)
                        << name << t;
                    if (t == 0) continue;
                    const double beta_tilde = schedule.posterior_variance()[t];
                    const double coef1 = schedule.posterior_mean_coef1()[t];
                    const double Sigma = variance == VarianceType::fixed_small ? beta_tilde : schedule.betas()[t];
                    const double nats = 0.5 * (std::log(Sigma / beta_tilde) + (beta_tilde + coef1 * coef1 * left) / Sigma - 1);
                    EXPECT_NEAR(terms.vb[t].mean().item<double>() * std::numbers::ln2, nats, 1e-9 * (1 + nats)) << name << t;
                }
                const double abar = schedule.alphas_cumprod().back();
                const double prior = 0.5 * (abar * (kMean * kMean + kDeviation * kDeviation) - abar - std::log1p(-abar));
                EXPECT_NEAR(terms.prior.mean().item<double>() * std::numbers::ln2, prior, 1e-13);
            }
        }
    }
}

// The plane of (x_0, ε) in points with weights that integrate over both Gaussians to 1e-8: the trapezoidal rule on ±8
// deviations.
struct Plane {
    std::vector<double> x_start, noise, weight;
};
const Plane& plane() {
    static const Plane points = [] {
        constexpr int per_axis = 161;
        constexpr double h = 16.0 / (per_axis - 1);
        Plane made;
        for (int i = 0; i < per_axis; ++i)
            for (int j = 0; j < per_axis; ++j) {
                const double u = -8 + h * i, v = -8 + h * j;
                made.x_start.push_back(kMean + kDeviation * u);
                made.noise.push_back(v);
                made.weight.push_back(h * h * std::exp(-0.5 * (u * u + v * v)) / (2 * std::numbers::pi));
            }
        return made;
    }();
    return points;
}

// The decoder's term on average, of any chain that begins with the t = 0 and 1 of `schedule`.
double decoder_term(const Denoiser& denoiser, const NoiseSchedule& schedule, VarianceType variance) {
    const auto column = [](const std::vector<double>& values) { return at::tensor(values, at::kDouble).view({-1, 1}); };
    const at::Tensor noise = column(plane().noise);
    const BoundTerms terms =
        bound_terms(denoiser, schedule, column(plane().x_start), {}, {variance}, [&](int64_t) { return noise; });
    return (terms.vb[0] * column(plane().weight).flatten()).sum().item<double>();
}

// Against an integrand of its own, made with erf. Σ is β̃_1 for either type.
TEST(VariationalBound, TheDecodersTermIsItsIntegral) {
    const NoiseSchedule schedule = schedule_of("linear").respaced({0, 1});
    const double a = schedule.sqrt_alphas_cumprod()[0], sigma_t = schedule.sqrt_one_minus_alphas_cumprod()[0];
    const double deviation = std::sqrt(schedule.posterior_variance()[1]);
    double expected = 0;
    for (size_t k = 0; k < plane().weight.size(); ++k) {
        const double x_0 = plane().x_start[k], x_t = a * x_0 + sigma_t * plane().noise[k];
        const double gain = a * kDeviation * kDeviation / (a * a * kDeviation * kDeviation + sigma_t * sigma_t);
        const double away = std::abs(x_0 - kMean - gain * (x_t - a * kMean));
        const double toward = x_0 - kMean - gain * (x_t - a * kMean);
        const double bin = normal_cdf((1 / 255.0 - away) / deviation) - normal_cdf((-1 / 255.0 - away) / deviation);
        const double probability = x_0 < -0.999  ? normal_cdf((toward + 1 / 255.0) / deviation)
                                   : x_0 > 0.999 ? normal_cdf((1 / 255.0 - toward) / deviation)
                                                 : bin;
        expected -= plane().weight[k] * std::log2(std::max(probability, 1e-12));
    }
    for (const VarianceType variance : {VarianceType::fixed_small, VarianceType::fixed_large})
        EXPECT_NEAR(decoder_term(gaussian_denoiser(schedule, kMean, kDeviation), schedule, variance), expected, 1e-9);
}

// `inner` with a Σ_θ of its own, over a chain.
class KnowsItsVariance : public Denoiser {
public:
    KnowsItsVariance(const Denoiser& inner, const NoiseSchedule& schedule,
                     std::function<double(const NoiseSchedule&, int64_t)> log_variance)
        : inner_(inner), schedule_(schedule), log_variance_(std::move(log_variance)) {}
    Prediction predict(const at::Tensor& x_t, const NoiseLevel& level, const at::Tensor& y) const override {
        const auto& times = schedule_.original_t();
        const int64_t t = std::find(times.begin(), times.end(), static_cast<int64_t>(level.t)) - times.begin();
        const double beta = std::log(schedule_.betas()[t]), beta_tilde = schedule_.posterior_log_variance_clipped()[t];
        Prediction prediction = inner_.predict(x_t, level, y);
        prediction.variance_fraction = at::full_like(x_t, (log_variance_(schedule_, t) - beta_tilde) / (beta - beta_tilde));
        return prediction;
    }

private:
    const Denoiser& inner_;
    NoiseSchedule schedule_;
    std::function<double(const NoiseSchedule&, int64_t)> log_variance_;
};

// ln Var(x_{t−1}|x_t) of the Gaussian data: β̃_t and what is left unknown of x_0.
double true_log_variance(const NoiseSchedule& schedule, int64_t t) {
    const double a = schedule.sqrt_alphas_cumprod()[t], sigma_t = schedule.sqrt_one_minus_alphas_cumprod()[t];
    const double s2 = kDeviation * kDeviation, left = s2 * sigma_t * sigma_t / (a * a * s2 + sigma_t * sigma_t);
    const double coef1 = schedule.posterior_mean_coef1()[t];
    return std::log(schedule.posterior_variance()[t] + coef1 * coef1 * left);
}

// The expected bound of the best ε, with the best Σ or with a fixed one.
double expected_bound(const NoiseSchedule& schedule, VarianceType variance, bool best_variance) {
    const NetworkDenoiser fixed = gaussian_denoiser(schedule, kMean, kDeviation);
    const NoiseSchedule start = schedule.respaced({0, 1});
    const KnowsItsVariance best(fixed, schedule, true_log_variance), best_start(fixed, start, true_log_variance);
    if (best_variance) variance = VarianceType::learned_range;
    const BoundTerms terms = four_points(best_variance ? static_cast<const Denoiser&>(best) : fixed, schedule, variance);
    const double decoder = decoder_term(best_variance ? static_cast<const Denoiser&>(best_start) : fixed, start, variance);
    return (terms.total() - terms.vb[0]).mean().item<double>() + decoder;
}

// −log2 of the bin of x_0 ~ N(m, s²) on average, bins narrow.
const double kEntropy = 0.5 * std::log2(2 * std::numbers::pi * std::numbers::e * kDeviation * kDeviation) + std::log2(127.5);

// What a decoder of this deviation loses because its bins are not narrow: the average over z ~ N(0, 1) of
// −log2((Φ(z+h) − Φ(z−h))/2h), h half a bin, less that of −log2 φ(z).
double cost_of_bins(double deviation) {
    const double h = 1 / 255.0 / deviation, step = 0.01;
    double cost = 0;
    for (double z = -8; z <= 8; z += step) {
        const double density = std::exp(-0.5 * z * z) / std::sqrt(2 * std::numbers::pi), away = std::abs(z);
        cost -= step * density * std::log2((normal_cdf(h - away) - normal_cdf(-h - away)) / (2 * h) / density);
    }
    return cost;
}

// With the best ε and Σ each reverse step is the true one, so the bound is the entropy but for the prior and the bins,
// however few the steps. Nothing is random here.
TEST(VariationalBound, OfTheBestNetworkIsTheEntropy) {
    for (const char* name : {"linear", "cosine"})
        for (const int64_t T : {30, 100, 1000}) {
            const NoiseSchedule schedule = schedule_of(name, T);
            const double abar = schedule.alphas_cumprod().back(), V = 1 + abar * (kDeviation * kDeviation - 1);
            const double prior = 0.5 * (V + abar * kMean * kMean - 1 - std::log(V)) / std::numbers::ln2;
            const double bins = cost_of_bins(std::exp(0.5 * true_log_variance(schedule, 0)));
            const double gap = expected_bound(schedule, VarianceType::fixed_small, true) - kEntropy;
            EXPECT_NEAR(gap, prior + bins, 1e-8) << name << " " << T;
        }
}

// A fixed Σ costs something, and less where steps are small.
TEST(VariationalBound, OfAFixedVarianceLiesAboveTheEntropy) {
    for (const VarianceType variance : {VarianceType::fixed_small, VarianceType::fixed_large}) {
        const double coarse = expected_bound(schedule_of("linear", 50), variance, false) - kEntropy;
        const double fine = expected_bound(schedule_of("linear", 3200), variance, false) - kEntropy;
        EXPECT_GT(fine, 0);
        EXPECT_LT(fine, 0.5 * coarse);
    }
}

// What improved-diffusion's calc_bpd_loop (commit 1bc7bbb, its tables left in float64) makes of two 4×4 pictures of
// the pixel values 85k mod 256, ε = 1.4·sin(1.7k + 0.9t) and the network ε̂ = x·t/(t+1), linear-1000. k counts numbers.
TEST(VariationalBound, AgreesWithImprovedDiffusion) {
    struct Golden {
        VarianceType variance;
        bool clip;
        std::array<double, 2> total, first;  // and L_1, of either picture
        double x_start_mse, eps_mse;         // sums over t and pictures
    };
    const std::array<double, 2> small = {1.02107208411, 0.880460251815}, large = {0.639442800636, 0.575501571406};
    const Golden cases[] = {
        {VarianceType::fixed_small, true, {10.2275971397, 9.78451560889}, small, 636.905158639, 434.312677791},
        {VarianceType::fixed_small, false, {10.2510430812, 9.78451560889}, small, 636.90741245, 434.513395609},
        {VarianceType::fixed_large, true, {9.31751238516, 9.00520734627}, large, 636.905158639, 434.312677791},
        {VarianceType::fixed_large, false, {9.33601479014, 9.00520734627}, large, 636.90741245, 434.513395609},
    };
    const at::Tensor k = at::arange(32, at::kDouble).view({2, 1, 4, 4});
    const at::Tensor x_start = (85 * k).remainder(256) * 2 / 255 - 1;
    const Network network = [](const at::Tensor& x, const at::Tensor& t, const at::Tensor&) {
        const at::Tensor time = t.to(x.scalar_type()).view({-1, 1, 1, 1});
        return x * time / (time + 1);
    };
    const NetworkDenoiser raw(network, PredictionType::epsilon);
    const ClippedDenoiser clipped(raw, 1, ClippedEps::rederived);
    for (const Golden& golden : cases) {
        const Denoiser& denoiser = golden.clip ? static_cast<const Denoiser&>(clipped) : raw;
        const BoundTerms terms = bound_terms(denoiser, schedule_of("linear"), x_start, {}, {golden.variance, NormalCdf::tanh},
                                             [&](int64_t t) { return 1.4 * (1.7 * k + 0.9 * static_cast<double>(t)).sin(); });
        const double prior[] = {1.26640714367e-05, 1.05150623152e-05}, decoder[] = {2.36505300631, 2.49892911066};
        for (size_t n = 0; n < 2; ++n) {
            const auto picture = static_cast<int64_t>(n);
            EXPECT_NEAR(terms.total()[picture].item<double>(), golden.total[n], 1e-9);
            EXPECT_NEAR(terms.prior[picture].item<double>(), prior[n], 1e-15);
            EXPECT_NEAR(terms.vb[0][picture].item<double>(), decoder[n], 1e-10);
            EXPECT_NEAR(terms.vb[1][picture].item<double>(), golden.first[n], 1e-10);
        }
        EXPECT_NEAR(terms.x_start_mse.sum().item<double>(), golden.x_start_mse, 1e-8);
        EXPECT_NEAR(terms.eps_mse.sum().item<double>(), golden.eps_mse, 1e-8);
    }
}

TEST(VariationalBound, TakesTheVarianceThatTheDenoiserKnows) {
    const NoiseSchedule whole = schedule_of("linear"), schedule = whole.respaced({0, 700});
    const NetworkDenoiser inner = gaussian_denoiser(whole, kMean, kDeviation);
    const double beta = std::log(schedule.betas()[1]);
    const KnowsItsVariance knowing(inner, schedule, [&](const NoiseSchedule&, int64_t) { return beta; });
    const at::Tensor known = four_points(knowing, schedule, VarianceType::learned_range).vb;
    const at::Tensor large = four_points(inner, schedule, VarianceType::fixed_large).vb;
    EXPECT_TRUE(at::allclose(known[1], large[1], 1e-12, 0));
    EXPECT_FALSE(at::allclose(known[0], large[0], 1e-3, 0)) << "also in the last step";
}

TEST(VariationalBound, DoesNotDependOnTheBatch) {
    const NoiseSchedule schedule = schedule_of("cosine", 20);
    const NetworkDenoiser denoiser = gaussian_denoiser(schedule, 0, 0.5);
    const at::Tensor x_start = start_noise(3, 0, 7, {1, 4, 4}) * 0.5;
    const auto in_batches_of = [&](int64_t size) {
        BoundMean mean;
        for (int64_t first = 0; first < 7; first += size) {
            const int64_t count = std::min<int64_t>(size, 7 - first);
            mean.add(bound_terms(ClippedDenoiser(denoiser, 1, ClippedEps::rederived), schedule,
                                 x_start.slice(0, first, first + count), {}, {}, bound_noise(5, first, count, {1, 4, 4})));
        }
        return mean;
    };
    const BoundMean whole = in_batches_of(7);
    for (const int64_t size : {1, 3}) {
        const BoundMean parts = in_batches_of(size);
        EXPECT_EQ(parts.images(), 7);
        EXPECT_NEAR(parts.total(), whole.total(), 1e-5);  // vectorised operators round differently at the ends of rows
        EXPECT_NEAR(parts.standard_error(), whole.standard_error(), 1e-5);
        for (size_t t = 0; t < 20; ++t) EXPECT_NEAR(parts.eps_mse()[t], whole.eps_mse()[t], 1e-5);
    }
    EXPECT_NEAR(sum(whole.vb()) + whole.prior(), whole.total(), 1e-10);
    EXPECT_TRUE(std::isnan([&] {
        BoundMean one;
        one.add(bound_terms(denoiser, schedule, x_start.slice(0, 0, 1), {}, {}, bound_noise(5, 0, 1, {1, 4, 4})));
        return one.standard_error();
    }()));
}

}  // namespace
}  // namespace ddpm
