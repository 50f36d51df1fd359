#include "ddpm/diffusion/likelihood.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace ddpm {
namespace {

at::Tensor number(double value) { return at::full({1}, value, at::kDouble); }

// The values that a pixel can have.
at::Tensor pixels() { return at::arange(256, at::kDouble) * 2 / 255 - 1; }

// Φ(b) − Φ(a), from the side on which both are small.
long double between(long double a, long double b) {
    const auto upper_tail = [](long double x) { return 0.5L * std::erfc(x / std::sqrt(2.0L)); };
    return a > 0 ? upper_tail(a) - upper_tail(b) : upper_tail(-b) - upper_tail(-a);
}

TEST(NormalKl, IsTheIntegral) {
    const double m1 = 0.3, v1 = 0.04, m2 = -0.1, v2 = 0.09;
    double integral = 0;
    const double h = 1e-4;
    for (double x = m1 - 4; x < m1 + 4; x += h) {
        const double log_p = -0.5 * (x - m1) * (x - m1) / v1 - 0.5 * std::log(v1);
        const double log_q = -0.5 * (x - m2) * (x - m2) / v2 - 0.5 * std::log(v2);
        integral += h * std::exp(log_p) / std::sqrt(2 * M_PI) * (log_p - log_q);
    }
    const auto kl = [](double a, double va, double b, double vb) {
        return normal_kl(number(a), number(std::log(va)), number(b), number(std::log(vb))).item<double>();
    };
    EXPECT_NEAR(kl(m1, v1, m2, v2), integral, 1e-9);
    EXPECT_EQ(kl(m1, v1, m1, v1), 0);
    EXPECT_GT(kl(m1, v2, m1, v1), 0);
}

TEST(DiscretizedNormal, TheBinsAddUpToOne) {
    for (const NormalCdf cdf : {NormalCdf::exact, NormalCdf::tanh})
        for (const double deviation : {0.003, 0.0074, 0.1, 1.0, 30.0})
            for (const double mean : {-1.2, -1.0, -0.3, 0.0, 0.77777, 1.0, 1.5}) {
                const at::Tensor log_likelihood =
                    discretized_normal_log_likelihood(pixels(), number(mean), number(2 * std::log(deviation)), cdf);
                // What is held at 1e-12 may add 256 of them.
                EXPECT_NEAR(log_likelihood.exp().sum().item<double>(), 1, 3e-10) << deviation << " " << mean;
            }
}

TEST(DiscretizedNormal, AgreesWithErf) {
    for (const double deviation : {0.0074, 0.1, 1.0})
        for (const double mean : {-1.1, -0.3, 0.02, 0.9}) {
            const at::Tensor ours = discretized_normal_log_likelihood(pixels(), number(mean), number(2 * std::log(deviation)));
            for (int v = 0; v < 256; ++v) {
                const long double x = pixels()[v].item<double>(), infinity = 1e9L;
                const long double low = v == 0 ? -infinity : (x - mean - 1 / 255.0L) / deviation;
                const long double high = v == 255 ? infinity : (x - mean + 1 / 255.0L) / deviation;
                const double expected = static_cast<double>(std::log(std::max(between(low, high), 1e-12L)));
                EXPECT_NEAR(ours[v].item<double>(), expected, 1e-9) << deviation << " " << mean << " " << v;
            }
        }
}

// OpenAI's and Ho et al.'s stand-in is off by 1.8e-4 at most; it shows in the tails, where 3.2e-5 becomes 1.8e-5.
TEST(DiscretizedNormal, TanhIsNearPhi) {
    const auto probability = [](double mean, NormalCdf cdf) {
        return std::exp(discretized_normal_log_likelihood(number(1), number(mean), number(2 * std::log(0.1)), cdf).item<double>());
    };
    double largest = 0;
    for (double mean = 0; mean < 2; mean += 0.001)
        largest = std::max(largest, std::abs(probability(mean, NormalCdf::exact) - probability(mean, NormalCdf::tanh)));
    EXPECT_NEAR(largest, 1.789e-4, 1e-6);
    const double edge = 1 - 1 / 255.0;
    EXPECT_NEAR(probability(edge - 0.4, NormalCdf::exact), 3.167e-5, 1e-8);
    EXPECT_NEAR(probability(edge - 0.4, NormalCdf::tanh), 1.757e-5, 1e-8);
}

}  // namespace
}  // namespace ddpm
