#include "ddpm/eval/reference.h"

#include <memory>

#include <gtest/gtest.h>

#include "ddpm/core/files.h"
#include "ddpm/core/tensor_memory.h"
#include "ddpm/eval/feature_frechet.h"
#include "ddpm/eval/judge.h"
#include "ddpm/eval/moments.h"
#include "ddpm/tensorfile/npz_file.h"
#include "eval/check_values.h"
#include "eval/listed_features.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

const auto kQuiet = [](int64_t) {};

fs::path data_file(const std::string& name) { return fs::path(DDPM_TEST_DATA_DIR) / "eval" / name; }

// A and B of the check values, 400 rows.
at::Tensor both() { return at::cat({check_A(), check_B()}); }

ReferenceStatistics statistics_of_A(int64_t batch = 64) {
    return measure_statistics(ListedFeatures(both()), listed_pictures(0, 200), batch, kQuiet);
}

// Writes statistics and reads them again.
std::shared_ptr<const ReferenceStatistics> through_file(const ReferenceStatistics& statistics) {
    const TempFolder folder;
    write_statistics(folder / "a.npz", statistics);
    EXPECT_TRUE(is_statistics(folder / "a.npz"));
    return std::make_shared<const ReferenceStatistics>(read_statistics(folder / "a.npz"));
}

std::vector<QualityNumber> judged(std::shared_ptr<const ReferenceStatistics> stored, const std::vector<std::string>& names,
                                  const ImageSource& pictures = {}) {
    auto features = std::make_unique<ListedFeatures>(both());
    const at::Tensor B = check_B().to(at::kFloat);
    RealFeatures real = measure_beside(*features, std::move(stored), pictures, 200, 64, kQuiet);
    const Judge judge(std::move(features), std::move(real));
    std::vector<QualityMetric> metrics;
    for (const std::string& name : names) metrics.push_back(quality_metric(name, "--metrics"));
    return judge.measure(B, metrics);
}

// The numbers of the reference's check values, of statistics that were in a file.
TEST(Reference, NumbersBesideAFileAreThoseOfTheFeatures) {
    const std::vector<QualityNumber> numbers = judged(through_file(statistics_of_A()), {"fd", "kid", "mmd", "pr"});
    EXPECT_NEAR(numbers[0].value, 0.15129880683, 1e-9);
    EXPECT_NEAR(numbers[1].value, 0.148585524789, 1e-9);
    EXPECT_NEAR(numbers[2].value, 0.019194643304, 1e-9);
    EXPECT_NEAR(numbers[3].value, 0.8, 1e-12);
    EXPECT_NEAR(numbers[4].value, 0.87, 1e-12);
}

TEST(Reference, WithoutFeaturesAFileServesFrechetDistancesAlone) {
    ReferenceStatistics alone = statistics_of_A();
    alone.features = at::Tensor();
    const auto stored = through_file(alone);
    const std::vector<QualityNumber> numbers = judged(stored, {"fd", "fd_inf"});
    EXPECT_NEAR(numbers[0].value, 0.15129880683, 1e-9);
    EXPECT_NEAR(numbers[1].value, judged(through_file(statistics_of_A()), {"fd_inf"})[0].value, 1e-9);
    EXPECT_FALSE(numbers[0].floor);
    EXPECT_SAYS(error_of([&] { judged(stored, {"fd", "mmd"}); }), "a.npz: holds mean and covariance");
    EXPECT_SAYS(error_of([&] { judged(stored, {"pr"}); }), "which pr needs");
}

TEST(Reference, AFileKeepsAllThatWasMeasured) {
    ReferenceStatistics written = statistics_of_A();
    written.transform["axes"] = normal_rows(3, 2, 1);
    const auto read = through_file(written);
    EXPECT_EQ(read->n, 200);
    EXPECT_EQ(read->source, "listed pictures");
    EXPECT_EQ(read->sha256, written.sha256);
    EXPECT_EQ(read->protocol, written.protocol);
    EXPECT_TRUE(at::equal(read->fit.mean, written.fit.mean));
    EXPECT_LT((read->fit.covariance - written.fit.covariance).abs().max().item<double>(), 1e-15);
    EXPECT_TRUE(at::equal(read->features, written.features));
    EXPECT_TRUE(at::equal(read->hashes, written.hashes));
    EXPECT_TRUE(at::equal(read->transform.at("axes"), written.transform.at("axes")));
    EXPECT_EQ(std::get<0>(at::unique_consecutive(read->hashes)).size(0), 200) << "every picture has a number of its own";
}

TEST(Reference, BatchesDoNotMatter) {
    const ReferenceStatistics one = statistics_of_A(200), many = statistics_of_A(7);
    EXPECT_EQ(one.sha256, many.sha256);
    EXPECT_TRUE(at::equal(one.features, many.features));
    EXPECT_LT((one.fit.covariance - many.fit.covariance).abs().max().item<double>(), 1e-13);
}

// The files are NumPy's own (tests/data/eval/make.py).
TEST(Reference, ReadsTheStatisticsOfOthers) {
    const GaussianFit A = [] {
        Moments moments;
        moments.add(check_A());
        return moments.fit();
    }();
    for (const char* name : {"pytorch_fid.npz", "edm.npz", "guided.npz"}) {
        const ReferenceStatistics read = read_statistics(data_file(name));
        EXPECT_LT((read.fit.mean - A.mean).abs().max().item<double>(), 1e-14) << name;
        EXPECT_LT((read.fit.covariance - A.covariance).abs().max().item<double>(), 1e-14) << name;
        EXPECT_NEAR(frechet_distance(factor_of(read.fit), fit_features(check_B())), 0.15129880683, 1e-9) << name;
        EXPECT_TRUE(read.protocol.is_null());
        EXPECT_EQ(read.n, std::string(name) == "guided.npz" ? 5 : 0) << name;
        EXPECT_FALSE(is_statistics(data_file(name))) << name;
        check_comparable(read, ListedFeatures(both(), "inception").protocol());
        EXPECT_SAYS(error_of([&] { check_comparable(read, ListedFeatures(both()).protocol()); }),
                    "those are of Inception's features, but listed features are asked for");
        EXPECT_SAYS(error_of([&] {
                        check_comparable(read, ListedFeatures(at::ones({2, 9}), "inception").protocol());
                    }),
                    "statistics of 8 numbers a picture, but inception features have 9");
    }
}

TEST(Reference, WhatMayNotBeComparedIsRefusedNamingBoth) {
    const ReferenceStatistics kept = statistics_of_A();
    check_comparable(kept, ListedFeatures(both()).protocol());
    EXPECT_SAYS(error_of([&] { check_comparable(kept, ListedFeatures(both(), "scatter").protocol()); }),
                "its features: \"listed\", but \"scatter\" is asked for");
    FeatureProtocol other = ListedFeatures(both()).protocol();
    other.pictures.width = 3;
    EXPECT_SAYS(error_of([&] { check_comparable(kept, other); }), "\"1x1x2\", but \"1x1x3\" is asked for");
    other = ListedFeatures(both()).protocol();
    other.resize = "64x64";
    EXPECT_SAYS(error_of([&] { check_comparable(kept, other); }), "its resize: \"none\", but \"64x64\" is asked for");
    other = ListedFeatures(both()).protocol();
    other.sha256 = "0123";
    EXPECT_SAYS(error_of([&] { check_comparable(kept, other); }), "its weights (sha256)");
}

// The floor is of pictures that the reference does not hold, whatever of them --data has.
TEST(Reference, TheFloorIsOfPicturesThatTheStatisticsDoNotHold) {
    const ListedFeatures features(both());
    const auto stored = std::make_shared<const ReferenceStatistics>(
        measure_statistics(features, listed_pictures(0, 200, 2), 64, kQuiet));  // 0, 2, … 398
    const RealFeatures apart = measure_beside(features, stored, listed_pictures(0, 400), 200, 64, kQuiet);
    ASSERT_TRUE(apart.floor.defined());
    EXPECT_TRUE(at::equal(apart.floor, both().to(at::kFloat).slice(0, 1, 400, 2)));
    EXPECT_EQ(apart.floor_words(), "");
    EXPECT_EQ(apart.count(), 200);
    const RealFeatures none = measure_beside(features, stored, listed_pictures(0, 390), 200, 64, kQuiet);
    EXPECT_FALSE(none.floor.defined());
    EXPECT_EQ(none.floor_count(), 100);
    EXPECT_SAYS(none.floor_words(), "100 pictures of the reference beside its other 100: 195 of 390 real pictures");
}

// Without other pictures the floor is of as many of the reference as there are samples, or of half of them.
TEST(Reference, AFloorInsideTheReferenceIsMeasuredAgainstTheRest) {
    const auto stored = through_file(statistics_of_A());
    const std::vector<QualityNumber> numbers = judged(stored, {"fd", "mmd"});
    const at::Tensor mixed = check_A().index_select(0, mixed_rows(200));
    ASSERT_TRUE(numbers[0].floor);
    EXPECT_NEAR(*numbers[0].floor, frechet_distance(mixed.slice(0, 100), mixed.slice(0, 0, 100)), 1e-9);
    EXPECT_GT(numbers[0].floor_sd, 0);
    EXPECT_LT(std::abs(*numbers[1].floor), 6 * numbers[1].floor_sd) << "mmd of real pictures is 0 on average";
    const ListedFeatures features(both());
    EXPECT_EQ(measure_beside(features, stored, {}, 30, 64, kQuiet).floor_count(), 30);
    EXPECT_EQ(measure_beside(features, stored, {}, 20, 64, kQuiet).floor_words(),
              "no floor: there are no other real pictures (--data)");
    EXPECT_EQ(measure_real(features, listed_pictures(0, 100), 60, 64, kQuiet).floor_count(), 50);
}

// 50000 × 2048 would be 410 MB; here 41000 × 512 are 84 MB, of which nothing is kept.
TEST(Reference, NothingOfTheSizeOfAllFeaturesIsHeld) {
    const int64_t D = 512, n = 41000;
    ASSERT_GT(n * D, kMostKeptNumbers);
    const ListedFeatures features(normal_rows(64, D, 3));
    ReferenceStatistics statistics;
    const int64_t bytes =
        peak_tensor_memory(c10::kCPU, [&] { statistics = measure_statistics(features, listed_pictures(0, n), 500, kQuiet); });
    EXPECT_FALSE(statistics.features.defined());
    EXPECT_EQ(statistics.n, n);
    EXPECT_LT(bytes, 30'000'000);
    EXPECT_EQ(statistics.fit.covariance.sizes(), (std::vector<int64_t>{D, D}));
}

}  // namespace
}  // namespace ddpm
