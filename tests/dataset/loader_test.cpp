#include "ddpm/dataset/loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "dataset/fixtures.h"
#include "ddpm/dataset/holdout.h"
#include "support/errors.h"

namespace ddpm {
namespace {

// Example i is a 1×2 grey picture whose left pixel is i mod 256, the right one zero; its label is i.
class Numbered : public Dataset {
public:
    explicit Numbered(int64_t size, bool flip = false, int64_t broken = -1)
        : Dataset(options(flip)), size_(size), broken_(broken) {}
    int64_t size() const override { return size_; }
    const std::vector<std::string>& class_names() const override { return names_; }
    int64_t label(int64_t index) const override { return index; }
    std::string describe() const override { return "numbered"; }

protected:
    int64_t fetch(int64_t index, RandomStream&, uint8_t* hwc) const override {
        if (index == broken_) user_error("picture " + std::to_string(index) + ": broken");
        hwc[0] = static_cast<uint8_t>(index);
        hwc[1] = 0;
        return index;
    }

private:
    static DatasetOptions options(bool flip) {
        DatasetOptions options;
        options.height = 1;
        options.width = 2;
        options.channels = 1;
        options.random_flip = flip;
        return options;
    }
    int64_t size_, broken_;
    std::vector<std::string> names_;
};

TEST(BatchLoader, BatchesDoNotDependOnThreads) {
    const Numbered dataset(100, true);
    BatchLoader one(dataset, 7, 3, 1), four(dataset, 7, 3, 4);
    for (int64_t k = 0; k < 40; ++k) {
        const Batch a = one.load(k), b = four.load(k);
        EXPECT_EQ(a.label, b.label);
        EXPECT_EQ(a.x_start, b.x_start);
    }
}

TEST(BatchLoader, BatchesDoNotDependOnTheOrderOfLoading) {
    const Numbered dataset(50, true);
    BatchLoader forward(dataset, 8, 3, 2), jumping(dataset, 8, 3, 2);
    std::vector<Batch> batches;
    for (int64_t k = 0; k < 20; ++k) batches.push_back(forward.load(k));
    for (const int64_t k : {19, 3, 4, 5, 5, 0, 18, 17, 1}) {
        const Batch batch = jumping.load(k);
        EXPECT_EQ(batch.label, batches[k].label) << k;
        EXPECT_EQ(batch.x_start, batches[k].x_start) << k;
    }
}

TEST(BatchLoader, EveryEpochHoldsEveryExampleOnce) {
    for (const auto& [size, batch_size] : {std::pair<int64_t, int64_t>{30, 7}, {5, 12}, {1, 3}, {64, 64}}) {
        const Numbered dataset(size);
        BatchLoader loader(dataset, batch_size, 1, 2);
        std::vector<int64_t> seen;
        for (int64_t k = 0; static_cast<int64_t>(seen.size()) < 4 * size; ++k) {
            const Batch batch = loader.load(k);
            seen.insert(seen.end(), batch.label.begin(), batch.label.end());
        }
        for (int64_t epoch = 0; epoch < 4; ++epoch) {
            std::vector<int64_t> labels(seen.begin() + epoch * size, seen.begin() + (epoch + 1) * size);
            std::sort(labels.begin(), labels.end());
            for (int64_t i = 0; i < size; ++i) EXPECT_EQ(labels[i], i);
        }
    }
}

TEST(BatchLoader, EpochsSeedsAndAttemptsAreOrderedDifferently) {
    const Numbered dataset(64);
    BatchLoader loader(dataset, 64, 1, 1), other_seed(dataset, 64, 2, 1), other_attempt(dataset, 64, 1, 1, 1);
    const std::vector<int64_t> first = loader.load(0).label;
    EXPECT_NE(first, loader.load(1).label);
    EXPECT_NE(first, other_seed.load(0).label);
    EXPECT_NE(first, other_attempt.load(0).label);
}

// Fisher–Yates makes every example equally likely at every position. Position 0 of 6000 epochs of 6 examples:
// chi-squared with 5 degrees of freedom passes 25.7 once in 10,000 times.
TEST(BatchLoader, OrderIsUniform) {
    const Numbered dataset(6);
    BatchLoader loader(dataset, 6, 11, 1);
    std::vector<double> counts(6);
    for (int64_t k = 0; k < 6000; ++k) ++counts[loader.load(k).label[0]];
    double chi_squared = 0;
    for (const double count : counts) chi_squared += (count - 1000) * (count - 1000) / 1000;
    EXPECT_LT(chi_squared, 25.7);
}

TEST(BatchLoader, PixelsBecomeSignedUnits) {
    const Numbered dataset(256);
    BatchLoader loader(dataset, 256, 0, 2);
    const Batch batch = loader.load(0);
    EXPECT_EQ(batch.count, 256);
    EXPECT_EQ(batch.channels, 1);
    EXPECT_EQ(batch.height, 1);
    EXPECT_EQ(batch.width, 2);
    ASSERT_EQ(batch.x_start.size(), 512u);
    for (size_t i = 0; i < 256; ++i) {
        EXPECT_NEAR(batch.x_start[2 * i], static_cast<double>(batch.label[i]) / 127.5 - 1, 1e-6);
        EXPECT_EQ(batch.x_start[2 * i + 1], -1.0f);
    }
}

// About 10,000 coins: the fraction leaves 0.5 ± 0.02 (4 standard deviations) once in 16,000 times.
TEST(BatchLoader, HalfOfTheExamplesAreFlipped) {
    const Numbered dataset(255, true);
    BatchLoader loader(dataset, 100, 5, 2);
    int flipped = 0, seen = 0;
    for (int64_t k = 0; k < 100; ++k) {
        const Batch batch = loader.load(k);
        for (size_t i = 0; i < 100; ++i) {
            if (batch.label[i] == 0) continue;  // looks the same both ways
            const float left = batch.x_start[2 * i], right = batch.x_start[2 * i + 1];
            EXPECT_NEAR(std::max(left, right), static_cast<double>(batch.label[i]) / 127.5 - 1, 1e-6);
            EXPECT_EQ(std::min(left, right), -1.0f);
            flipped += right > left;
            ++seen;
        }
    }
    EXPECT_NEAR(static_cast<double>(flipped) / seen, 0.5, 0.02);
}

TEST(BatchLoader, RethrowsAndGoesOn) {
    const Numbered dataset(20, false, 13);
    BatchLoader loader(dataset, 4, 2, 3);
    int failures = 0;
    for (int64_t k = 0; k < 10; ++k) {
        const std::string error = error_of([&] { EXPECT_EQ(loader.load(k).label.size(), 4u); });
        if (error != "no error") {
            EXPECT_EQ(error, "picture 13: broken");
            EXPECT_EQ(error_of([&] { loader.load(k); }), error);
            ++failures;
        }
    }
    EXPECT_EQ(failures, 2);
}

TEST(BatchLoader, EndsWithWorkUnderWay) {
    const Numbered dataset(1000);
    for (int i = 0; i < 50; ++i) {
        BatchLoader loader(dataset, 64, 0, 4);
        if (i % 2 == 0) loader.load(i);
    }
}

TEST(BatchLoader, AnOrderThatMemoryCannotHoldIsRefused) {
    const Numbered dataset(int64_t{1} << 45);
    const std::string said = error_of([&] { BatchLoader(dataset, 4, 0, 1); });
    EXPECT_SAYS(said,
                "dataset.length: the order in which 35,184,372,088,832 examples are taken needs 262144.0 GiB of memory, and ");
    EXPECT_SAYS(error_of([&] { split_dataset(std::make_shared<Numbered>(int64_t{1} << 45), 10, 0); }), "dataset.length: the order");
}

}  // namespace
}  // namespace ddpm
