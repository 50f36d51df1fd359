// Expected numbers without a source beside them come from the same formulas in NumPy, or from EDM2's paper (arXiv 2312.02696).

#include "ddpm/run/power_ema.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "support/errors.h"

namespace ddpm {
namespace {

TEST(PowerEma, HasThePowerOfEachWidth) {
    EXPECT_NEAR(power_of_width(0.05), 16.972198602303447, 1e-12);
    EXPECT_NEAR(power_of_width(0.1), 6.937203937601809, 1e-13);
    EXPECT_NEAR(power_of_width(0.2), 1.8262137798958404, 1e-14);
    for (double width = kLeastEmaWidth; width < greatest_ema_width(); width *= 1.03) {
        const double gamma = power_of_width(width);
        EXPECT_GE(gamma, 0);
        EXPECT_NEAR(std::sqrt((gamma + 1) / ((gamma + 2) * (gamma + 2) * (gamma + 3))), width, 1e-13) << width;
    }
}

TEST(PowerEma, RefusesOtherWidths) {
    EXPECT_NEAR(greatest_ema_width(), 0.28867513459481287, 1e-16);
    for (const double width : {0.0, -0.1, 1e-4, 0.2887, 1.0, std::numeric_limits<double>::quiet_NaN()})
        EXPECT_SAYS(error_of([&] { check_ema_width(width, "key"); }), "key: got ");
    for (const double width : {0.001, 0.05, 0.28867}) check_ema_width(width, "key");
}

// The weights of all updates 1 … t in the average, by the recursion.
std::vector<double> weights_of(int64_t t, double gamma, size_t size) {
    std::vector<double> weights(size);
    for (int64_t n = 1; n <= t; ++n) {
        const double beta = power_ema_decay(n, gamma);
        for (double& weight : weights) weight *= beta;
        weights[static_cast<size_t>(n - 1)] = 1 - beta;
    }
    return weights;
}

TEST(PowerEma, TheFirstUpdateCopiesAndTheProfileIsAPower) {
    EXPECT_EQ(power_ema_decay(1, 5), 0);
    const double gamma = power_of_width(0.1);
    const std::vector<double> weights = weights_of(2000, gamma, 2000);
    double sum = 0, mean = 0, square = 0;
    for (size_t i = 0; i < weights.size(); ++i) {
        const double place = (static_cast<double>(i) + 0.5) / 2000;
        sum += weights[i];
        mean += weights[i] * place;
        square += weights[i] * place * place;
    }
    EXPECT_NEAR(sum, 1, 1e-12);
    EXPECT_NEAR(std::sqrt(square - mean * mean), 0.1, 1e-4);  // the width is the deviation of the profile
}

TEST(PowerEma, RebuildsWithTheWeightsOfTheLeastSquares) {
    const double a = power_of_width(0.05), b = power_of_width(0.1);
    const Reconstruction sum = reconstruct({{512, a}, {512, b}, {1024, a}, {1024, b}}, {1024, power_of_width(0.075)});
    const std::vector<double> expected{1.35748281e-4, -2.42662683e-3, 0.342969036, 0.659321843};
    ASSERT_EQ(sum.weights.size(), 4u);
    for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(sum.weights[i], expected[i], 2e-9);
    EXPECT_NEAR(sum.residual, 0.0541903, 1e-6);
}

TEST(PowerEma, GivesAStoredAverageItself) {
    const double a = power_of_width(0.05), b = power_of_width(0.1);
    const Reconstruction sum = reconstruct({{512, a}, {512, b}, {1024, a}, {1024, b}}, {1024, b});
    for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(sum.weights[i], i == 3 ? 1 : 0, 1e-12);
    EXPECT_LT(sum.residual, 1e-7);
    EXPECT_LT(sum.error, 1e-6);
}

// The table of docs/averages.md, beside the same errors of the recursion over 4096 updates: the part of the profile that is missed,
// and the error for a random walk as a fraction of the distance between the average and the last weights.
TEST(PowerEma, ExpectsTheErrorsThatTheRecursionHas) {
    constexpr size_t T = 4096;
    for (const int64_t count : {8, 16}) {
        std::vector<PowerAverage> stored;
        std::vector<std::vector<double>> profiles;
        for (int64_t i = 1; i <= count; ++i)
            for (const double width : {0.05, 0.1}) {
                const int64_t t = static_cast<int64_t>(T) * i / count;
                stored.push_back({static_cast<double>(t), power_of_width(width)});
                profiles.push_back(weights_of(t, stored.back().gamma, T));
            }
        for (const double width : {0.03, 0.075, 0.15, 0.2}) {
            const PowerAverage wanted{static_cast<double>(T), power_of_width(width)};
            const Reconstruction sum = reconstruct(stored, wanted);
            const std::vector<double> profile = weights_of(static_cast<int64_t>(T), wanted.gamma, T);
            double missed = 0, whole = 0, walk = 0, distance = 0, tail = 0, tail_of_profile = 0;
            for (size_t i = T; i-- > 0;) {  // a step of the walk at i is in all weights from i on
                double difference = -profile[i];
                for (size_t k = 0; k < stored.size(); ++k) difference += sum.weights[k] * profiles[k][i];
                missed += difference * difference;
                whole += profile[i] * profile[i];
                tail += difference;
                tail_of_profile += profile[i];
                walk += tail * tail;
                distance += (tail_of_profile - 1) * (tail_of_profile - 1);
            }
            EXPECT_NEAR(sum.residual / std::sqrt(missed / whole), 1, 0.02) << count << " snapshots, width " << width;
            EXPECT_NEAR(sum.error / std::sqrt(walk / distance), 1, 0.02) << count << " snapshots, width " << width;
        }
    }
}

TEST(PowerEma, RebuildsBetterFromMore) {
    const auto error = [](int count, double width) {
        std::vector<PowerAverage> stored;
        for (int i = 1; i <= count; ++i)
            for (const double kept : {0.05, 0.1}) stored.push_back({1000.0 * i, power_of_width(kept)});
        return reconstruct(stored, {1000.0 * count, power_of_width(width)}).error;
    };
    EXPECT_NEAR(error(8, 0.03), 0.077, 0.001);
    EXPECT_NEAR(error(16, 0.03), 0.013, 0.001);
    EXPECT_NEAR(error(8, 0.075), 0.0037, 0.0001);
    EXPECT_NEAR(error(16, 0.075), 0.00043, 0.00001);
    EXPECT_NEAR(error(16, 0.15), 0.00083, 0.00001);
    EXPECT_NEAR(error(16, 0.2), 0.0048, 0.0001);
    EXPECT_GT(error(8, 0.01), 1) << "and so says that this can't be rebuilt";
}

}  // namespace
}  // namespace ddpm
