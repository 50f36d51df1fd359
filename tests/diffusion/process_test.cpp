#include "ddpm/diffusion/process.h"

#include <cmath>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include "ddpm/core/error.h"
#include "diffusion/statistics.h"

// Statistical tests: seeds are fixed, so a result repeats; "false alarm" is the probability that a right program would
// have failed with a seed drawn at random.

namespace ddpm {
namespace {

NoiseSchedule schedule_of(const std::string& name, int64_t T) {
    DiffusionOptions o;
    o.schedule = name;
    o.timesteps = T;
    return make_schedule(o);
}

ForwardMethod::Noise noise_like(const at::Tensor& x, uint64_t seed) {
    auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    return [shape = x.sizes().vec(), generator](int64_t) { return at::randn(shape, generator, at::kDouble); };
}

// Data of unit variance that is far from normal: −1 or 1, half each.
at::Tensor coins(int64_t count) { return at::arange(count).remainder(2).to(at::kDouble) * 2 - 1; }

double variance(const at::Tensor& x) { return x.var(/*unbiased=*/true).item<double>(); }

std::vector<int64_t> all_times(int64_t T) {
    std::vector<int64_t> times(T);
    for (int64_t t = 0; t < T; ++t) times[t] = t;
    return times;
}

// A sample variance of n near-normal numbers has a standard deviation of at most √(2/n) of itself (less for coins). Six
// of those at each of 300 times: false alarm below 300 · 2e-9 = 6e-7 each test.
constexpr int64_t kCount = 20000;
const double kSixSigma = 6 * std::sqrt(2.0 / kCount);

TEST(Process, UnitVarianceStaysOneAtEveryT) {
    for (const char* name : {"linear", "cosine"}) {
        const NoiseSchedule schedule = schedule_of(name, 300);
        const at::Tensor x_start = coins(kCount);
        for (const char* method : {"closed_form", "iterated"}) {
            const auto chain = forward_method(method).run(schedule, x_start, all_times(300), noise_like(x_start, 1));
            ASSERT_EQ(chain.size(), 300u);
            for (size_t t = 0; t < chain.size(); ++t)
                ASSERT_NEAR(variance(chain[t]), 1, kSixSigma) << name << " " << method << " t=" << t;
        }
    }
}

TEST(Process, NaiveVarianceIsOnePlusTheSumOfBetas) {
    const NoiseSchedule schedule = schedule_of("linear", 300);
    const at::Tensor x_start = coins(kCount);
    const auto chain = forward_method("naive").run(schedule, x_start, all_times(300), noise_like(x_start, 2));
    double expected = 1;
    for (int64_t t = 0; t < 300; ++t) {
        expected += schedule.betas()[t];
        ASSERT_NEAR(variance(chain[t]) / expected, 1, kSixSigma) << t;
    }
    EXPECT_NEAR(expected, 11.05, 1e-9);  // rescaling keeps the sum of linear-1000
}

TEST(Process, RootlessVarianceFollowsItsRecursion) {
    const NoiseSchedule schedule = schedule_of("linear", 1000);
    const at::Tensor x_start = coins(kCount);
    const std::vector<int64_t> times = {0, 50, 100, 200, 400, 700, 999};
    const auto chain = forward_method("rootless").run(schedule, x_start, times, noise_like(x_start, 3));
    double expected = 1;
    size_t next = 0;
    for (int64_t t = 0; t < 1000; ++t) {
        const double beta = schedule.betas()[t], alpha = 1 - beta;
        expected = alpha * alpha * expected + beta * beta;
        if (t == times[next]) {
            ASSERT_NEAR(variance(chain[next++]) / expected, 1, kSixSigma) << t;
        }
    }
    EXPECT_EQ(next, times.size());
    EXPECT_NEAR(expected, 0.0098, 5e-5);
}

// The exact law of x_t for coins: ½N(−a, σ²) + ½N(a, σ²). False alarm 1e-7 a comparison by the KS bounds.
TEST(Process, ClosedFormAndChainHaveTheSameLaw) {
    constexpr double kAlarm = 1e-7;
    for (const char* name : {"linear", "cosine", "sigmoid"}) {
        const NoiseSchedule schedule = schedule_of(name, 200);
        const at::Tensor x_start = coins(kCount);
        const std::vector<int64_t> times = {0, 30, 100, 199};
        const auto direct = forward_method("closed_form").run(schedule, x_start, times, noise_like(x_start, 4));
        const auto chain = forward_method("iterated").run(schedule, x_start, times, noise_like(x_start, 5));
        for (size_t i = 0; i < times.size(); ++i) {
            const double a = schedule.sqrt_alphas_cumprod()[times[i]];
            const double sigma_t = schedule.sqrt_one_minus_alphas_cumprod()[times[i]];
            const auto law = [&](double x) { return 0.5 * normal_cdf((x - a) / sigma_t) + 0.5 * normal_cdf((x + a) / sigma_t); };
            EXPECT_LT(ks_distance(direct[i], law), ks_bound(kCount, kAlarm)) << name << " t=" << times[i];
            EXPECT_LT(ks_distance(chain[i], law), ks_bound(kCount, kAlarm)) << name << " t=" << times[i];
            EXPECT_LT(ks_distance(chain[i], direct[i]), ks_bound(kCount / 2.0, kAlarm)) << name << " t=" << times[i];
            // Moments: each mean has a standard deviation of 1/√n, six of them.
            EXPECT_NEAR(chain[i].mean().item<double>(), 0, 6 / std::sqrt(kCount));
            EXPECT_NEAR((chain[i] * x_start).mean().item<double>(), a, 6 * sigma_t / std::sqrt(kCount));
        }
    }
}

TEST(Process, KolmogorovSmirnovSeesTheNaiveWalk) {
    const NoiseSchedule schedule = schedule_of("linear", 200);
    const at::Tensor x_start = coins(kCount);
    const auto direct = forward_method("closed_form").run(schedule, x_start, {30}, noise_like(x_start, 6));
    const auto naive = forward_method("naive").run(schedule, x_start, {30}, noise_like(x_start, 7));
    EXPECT_GT(ks_distance(naive[0], direct[0]), ks_bound(kCount / 2.0, 1e-7));
}

TEST(Process, NaiveWalkAndItsDirectFormHaveTheSameLaw) {
    constexpr double kAlarm = 1e-7;
    const NoiseSchedule schedule = schedule_of("linear", 200);
    const at::Tensor x_start = coins(kCount);
    const std::vector<int64_t> times = {0, 30, 199};
    const auto chain = forward_method("naive").run(schedule, x_start, times, noise_like(x_start, 8));
    const auto noise = noise_like(x_start, 9);
    for (size_t i = 0; i < times.size(); ++i) {
        const at::Tensor direct = naive_sample(schedule, x_start, times[i], noise(times[i]));
        double spread = 0;
        for (int64_t s = 0; s <= times[i]; ++s) spread += schedule.betas()[s];
        const auto law = [s = std::sqrt(spread)](double x) {
            return 0.5 * normal_cdf((x - 1) / s) + 0.5 * normal_cdf((x + 1) / s);
        };
        EXPECT_LT(ks_distance(chain[i], law), ks_bound(kCount, kAlarm)) << times[i];
        EXPECT_LT(ks_distance(direct, law), ks_bound(kCount, kAlarm)) << times[i];
        EXPECT_LT(ks_distance(direct, chain[i]), ks_bound(kCount / 2.0, kAlarm)) << times[i];
    }
}

TEST(Process, EachExampleHasItsOwnT) {
    const NoiseSchedule schedule = schedule_of("cosine", 1000);
    const at::Tensor x_start = at::linspace(-1, 1, 3 * 2 * 4 * 4, at::kDouble).view({3, 2, 4, 4});
    const at::Tensor noise = x_start.flip(0) * 3;
    const at::Tensor batch = q_sample(schedule, x_start, at::tensor({999, 0, 500}, at::kLong), noise);
    const int64_t times[] = {999, 0, 500};
    for (int64_t n = 0; n < 3; ++n) {
        const double a = schedule.sqrt_alphas_cumprod()[times[n]];
        const double sigma_t = schedule.sqrt_one_minus_alphas_cumprod()[times[n]];
        EXPECT_TRUE(at::equal(batch[n], a * x_start[n] + sigma_t * noise[n]));
    }
    EXPECT_EQ(q_sample(schedule, x_start.to(at::kFloat), at::tensor({1, 2, 3}, at::kLong), noise.to(at::kFloat)).scalar_type(),
              at::kFloat);
}

TEST(Process, MethodsAskForTheNoiseOfEachStepOnce) {
    const NoiseSchedule schedule = schedule_of("cosine", 10);
    const at::Tensor x_start = at::zeros({1, 1, 2, 2});
    for (const ForwardMethod& method : forward_methods()) {
        std::vector<int64_t> asked;
        const auto noise = [&](int64_t t) {
            asked.push_back(t);
            return at::ones_like(x_start);
        };
        EXPECT_EQ(method.run(schedule, x_start, {2, 4}, noise).size(), 2u);
        EXPECT_EQ(asked, method.name == "closed_form" ? (std::vector<int64_t>{2, 4}) : all_times(5)) << method.name;
        EXPECT_THROW(method.run(schedule, x_start, {4, 10}, noise), Error);
        EXPECT_THROW(method.run(schedule, x_start, {4, 2}, noise), Error);
    }
    EXPECT_THROW(forward_method("closed"), Error);
}

}  // namespace
}  // namespace ddpm
