#include "ddpm/eval/jackknife.h"

#include <cmath>
#include <functional>

#include <gtest/gtest.h>

#include "ddpm/eval/feature_frechet.h"
#include "ddpm/eval/kernel_distance.h"
#include "eval/check_values.h"
#include "support/errors.h"

namespace ddpm {
namespace {

TEST(Jackknife, GroupsDivideTheRowsAndMixThem) {
    for (const int64_t n : {20, 97, 1000}) {
        const std::vector<at::Tensor> groups = jackknife_groups(n);
        ASSERT_EQ(groups.size(), 10U);
        EXPECT_TRUE(at::equal(std::get<0>(at::cat(groups).sort()), at::arange(n)));
        for (size_t g = 0; g < 10; ++g) {
            EXPECT_NEAR(static_cast<double>(groups[g].size(0)), static_cast<double>(n) / 10, 0.91);
            EXPECT_TRUE(at::equal(std::get<0>(at::cat({rows_without(groups, g), groups[g]}).sort()), at::arange(n)));
        }
    }
    // Of pictures that turn from class to class, or are sorted by class, a group has about ten of each of ten classes.
    for (const at::Tensor& group : jackknife_groups(1000)) {
        EXPECT_LE(at::bincount(group.remainder(10)).max().item<int64_t>(), 24);
        EXPECT_LE(at::bincount(at::floor_divide(group, 100)).max().item<int64_t>(), 24);
    }
    EXPECT_TRUE(at::equal(mixed_rows(50), mixed_rows(50)));
    EXPECT_SAYS(error_of([] { jackknife_groups(19); }), "at least 20 pictures, but there are 19");
}

// Of a mean over groups of one size, sd is that of the groups' means divided by √10.
TEST(Jackknife, OfAMeanIsItsStandardError) {
    const at::Tensor x = normal_rows(200, 1, 1).squeeze(1);
    std::vector<at::Tensor> means;
    for (const at::Tensor& rows : jackknife_groups(200)) means.push_back(x.index_select(0, rows).mean());
    const double expected = at::stack(means).std().item<double>() / std::sqrt(10);
    const auto mean = [&](const at::Tensor& rows) { return x.index_select(0, rows).mean().item<double>(); };
    const Jackknifed found = jackknife(200, mean);
    EXPECT_NEAR(found.value, x.mean().item<double>(), 1e-15);
    EXPECT_NEAR(found.sd(), expected, 1e-14);
    EXPECT_EQ((Jackknifed{3, std::vector<double>(10, 0.5)}).sd(), 0);
    EXPECT_NEAR((Jackknifed{0, {0, 0, 0, 0, 0, 1, 1, 1, 1, 1}}).sd(), 1.5, 1e-15) << "√(0.9·10·¼)";
    const std::vector<Jackknifed> both = jackknife_each(200, [&](const at::Tensor& rows) {
        return std::vector<double>{mean(rows), 2 * mean(rows)};
    });
    EXPECT_EQ(both.at(0).without, found.without);
    EXPECT_NEAR(both.at(1).sd(), 2 * found.sd(), 1e-14);
}

TEST(Jackknife, OfADifferenceDropsWhatBothShare) {
    const at::Tensor x = normal_rows(100, 1, 2).squeeze(1), y = x + 0.3;
    const auto mean_of = [](const at::Tensor& values) {
        return jackknife(100, [&](const at::Tensor& rows) { return values.index_select(0, rows).mean().item<double>(); });
    };
    const Jackknifed difference = jackknife_difference(mean_of(y), mean_of(x));
    EXPECT_NEAR(difference.value, 0.3, 1e-14);
    EXPECT_LT(difference.sd(), 1e-14) << "the same noise, moved";
    EXPECT_GT(mean_of(x).sd(), 0.03);
    EXPECT_SAYS(error_of([&] { jackknife_difference(mean_of(x), {0, {1, 2}}); }), "10");
}

// What two models of 100 samples in 3 dimensions are told apart by, measured against 200 of N(0, I): how many of `rounds` pairs
// have a difference that is not 0 by ±2·sd.
struct Alarms {
    int64_t mmd = 0, fd = 0;
};

Alarms alarms(int64_t rounds, const std::function<at::Tensor(const at::Tensor&)>& one,
              const std::function<at::Tensor(const at::Tensor&)>& other, uint64_t first_set) {
    Alarms alarms;
    for (uint64_t set = first_set; set < first_set + 3 * static_cast<uint64_t>(rounds); set += 3) {
        const at::Tensor reference = normal_rows(200, 3, set), x = one(normal_rows(100, 3, set + 1)),
                         y = other(normal_rows(100, 3, set + 2));
        const auto differ = [](const Jackknifed& a, const Jackknifed& b) { return is_told_apart(jackknife_difference(a, b)); };
        const KernelDistance mmd(reference, gaussian_kernel(4));
        const GaussianFactor fit = fit_features(reference);
        alarms.mmd += differ(mmd.jackknifed(x), mmd.jackknifed(y));
        alarms.fd += differ(frechet_jackknife(fit, x), frechet_jackknife(fit, y));
    }
    return alarms;
}

// The rates of false alarms are numpy's, of 1500 pairs. A bound is passed by chance in about one of a thousand seeds.
TEST(Jackknife, RarelyTellsEqualModelsApart) {
    const auto same = [](const at::Tensor& x) { return x; };
    const Alarms good = alarms(200, same, same, 10000);
    EXPECT_LE(good.mmd, 15) << "3 % where both match the reference";
    EXPECT_LE(good.fd, 15);
    const auto moved = [](const at::Tensor& x) { return x + 0.7; };
    const Alarms bad = alarms(200, moved, moved, 20000);
    EXPECT_LE(bad.mmd, 28) << "7 % where both are off";
    EXPECT_LE(bad.fd, 28);
    EXPECT_GE(bad.mmd, 4) << "sd is not so large that nothing would ever differ";
    EXPECT_GE(bad.fd, 4);
}

// What MMD² with exp(−d²/4) is on average between this reference and samples of N(mean, deviation²·I), in closed form: for d of
// variance v in D dimensions E exp(−|m + d|²/4) = (4/(4 + 2v))^(D/2)·exp(−|m|²/(4 + 2v)).
double expected_mmd(const at::Tensor& reference, double mean, double deviation) {
    const double n = static_cast<double>(reference.size(0)), variance = deviation * deviation;
    const at::Tensor between = at::cdist(reference, reference).square().div(-4).exp();
    const at::Tensor across = (reference - mean).square().sum(1).div(-(4 + 2 * variance)).exp();
    return (between.sum().item<double>() - n) / (n * (n - 1)) + std::pow(4 / (4 + 4 * variance), 1.5) -
           2 * std::pow(4 / (4 + 2 * variance), 1.5) * across.mean().item<double>();
}

// Two models that turn the same noise into other pictures: ±2·sd of their difference misses the true difference in 8.0 % of 2000 pairs of
// numpy's, as often as Student's t with 9 degrees of freedom says. Beyond these bounds lie fewer than two of a thousand seeds.
TEST(Jackknife, IntervalsOfDifferencesCoverTheTruthAsOftenAsTheySay) {
    constexpr uint64_t kPairs = 300;
    int64_t missed = 0;
    double paired = 0, alone = 0;
    for (uint64_t set = 50000; set < 50000 + 2 * kPairs; set += 2) {
        const at::Tensor reference = normal_rows(200, 3, set), noise = normal_rows(100, 3, set + 1);
        const KernelDistance mmd(reference, gaussian_kernel(4));
        const Jackknifed one = mmd.jackknifed(1.1 * noise + 0.2), other = mmd.jackknifed(1.25 * noise + 0.3);
        const Jackknifed difference = jackknife_difference(one, other);
        const double truth = expected_mmd(reference, 0.2, 1.1) - expected_mmd(reference, 0.3, 1.25);
        missed += std::abs(difference.value - truth) > 2 * difference.sd();
        paired += difference.sd();
        alone += std::hypot(one.sd(), other.sd());
    }
    EXPECT_GE(missed, 10);
    EXPECT_LE(missed, 39);
    EXPECT_LT(paired, 0.4 * alone) << "numpy: 0.31; the same noise makes the interval three times as short";
}

TEST(Jackknife, TellsDifferentModelsApart) {
    const Alarms found = alarms(
        60, [](const at::Tensor& x) { return x; }, [](const at::Tensor& x) { return 1.6 * x; }, 30000);
    EXPECT_GE(found.mmd, 55);
    EXPECT_GE(found.fd, 55);
}

}  // namespace
}  // namespace ddpm
