#include "ddpm/core/random.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace ddpm {
namespace {

// The known answers that come with Random123 (kat_vectors, philox4x32 10).
TEST(Random, PhiloxGivesThePublishedAnswers) {
    using Block = std::array<uint32_t, 4>;
    EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}), (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
              (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, AStreamFollowsFromItsArguments) {
    RandomStream a(1, Purpose::noise, 2, 3), b(1, Purpose::noise, 2, 3);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(a.next_u32(), b.next_u32());
    std::set<uint64_t> first;
    for (uint64_t seed : {0, 1})
        for (Purpose purpose : {Purpose::noise, Purpose::timestep})
            for (uint64_t step : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 40})
                for (uint64_t index : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 40})
                    first.insert(RandomStream(seed, purpose, step, index).next_u64());
    EXPECT_EQ(first.size(), 2u * 2 * 3 * 3);
}

// Kolmogorov–Smirnov, n = 100,000, against the exact distribution: D·√n > 2.2 has probability 1.3e-4 for a right
// generator (2·exp(−2·2.2²)); the seed is fixed.
double kolmogorov_smirnov(std::vector<double> values, double (*cdf)(double)) {
    std::sort(values.begin(), values.end());
    double d = 0;
    const auto n = static_cast<double>(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
        const double f = cdf(values[i]);
        d = std::max({d, f - static_cast<double>(i) / n, static_cast<double>(i + 1) / n - f});
    }
    return d * std::sqrt(n);
}

TEST(Random, UniformAndNormalFollowTheirLaws) {
    RandomStream stream(7, Purpose::preview);
    std::vector<double> uniform(100000), normal(100000);
    for (double& x : uniform) x = stream.uniform();
    for (double& x : normal) x = stream.normal();
    EXPECT_LT(kolmogorov_smirnov(uniform, [](double x) { return x; }), 2.2);
    EXPECT_LT(kolmogorov_smirnov(normal, [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }), 2.2);
}

// χ² of 10 cells with 9 degrees of freedom: > 33.7 has probability 1e-4.
TEST(Random, BelowIsUnbiased) {
    RandomStream stream(3, Purpose::preview);
    std::vector<double> counts(10);
    for (int i = 0; i < 100000; ++i) counts[stream.below(10)] += 1;
    double chi2 = 0;
    for (double c : counts) chi2 += (c - 10000) * (c - 10000) / 10000;
    EXPECT_LT(chi2, 33.7);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(stream.below(1), 0u);
}

}  // namespace
}  // namespace ddpm
