#include "ddpm/dataset/holdout.h"

#include <gtest/gtest.h>

#include <set>

#include <spdlog/fmt/fmt.h>

#include "dataset/fixtures.h"
#include "ddpm/image/codec.h"
#include "support/captured_log.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

std::shared_ptr<const Dataset> shapes(int64_t length, bool flip = false) {
    DatasetOptions options;
    options.length = length;
    options.height = options.width = 8;
    options.random_flip = flip;
    return open_dataset(options, 1, 1);
}

std::string read(const Dataset& dataset, int64_t index, uint64_t draw) {
    const std::vector<uint8_t> pixels = read_example(dataset, index, draw);
    return std::string(pixels.begin(), pixels.end());
}
std::string read(const Dataset& dataset, int64_t index) { return read(dataset, index, static_cast<uint64_t>(index % 4)); }

TEST(Holdout, EveryExampleIsInOnePart) {
    const auto whole = shapes(100);
    const Split split = split_dataset(whole, 0.2, 4);
    EXPECT_EQ(split.held_out->size(), 20);
    EXPECT_EQ(split.training->size(), 80);
    std::multiset<std::string> all, parts;
    for (int64_t i = 0; i < 100; ++i) all.insert(read(*whole, i));
    for (const auto* part : {split.held_out.get(), split.training.get()})
        for (int64_t i = 0; i < part->size(); ++i) parts.insert(read(*part, i));
    EXPECT_EQ(all, parts);
    EXPECT_EQ(split.held_out->class_names(), whole->class_names());
}

TEST(Holdout, FollowsFromTheSeed) {
    const auto whole = shapes(100);
    const auto held_out = [&](uint64_t seed) {
        const Split split = split_dataset(whole, 30, seed);
        std::vector<std::string> pictures;
        for (int64_t i = 0; i < 30; ++i) pictures.push_back(read(*split.held_out, i));
        return pictures;
    };
    EXPECT_EQ(held_out(4), held_out(4));
    EXPECT_NE(held_out(4), held_out(5));
}

// The whole mirrors, with the stream of the part's caller.
TEST(Holdout, ExamplesAreReadAsTheWholeReadsThem) {
    const auto whole = shapes(40, true);
    const Split split = split_dataset(whole, 0.5, 4);
    std::set<std::string> all;
    for (int64_t i = 0; i < 40; ++i)
        for (uint64_t draw = 0; draw < 4; ++draw) all.insert(read(*whole, i, draw));
    for (int64_t i = 0; i < 20; ++i) EXPECT_TRUE(all.count(read(*split.training, i)));
}

TEST(Holdout, APictureThatBreaksIsReplacedWithinItsPart) {
    const TempFolder folder;
    std::string cut = encode_png(Image{8, 8, 3, std::vector<uint8_t>(192, 70)});
    cut.resize(cut.size() - 30);  // whole enough to be found, and to be found out when it is read
    for (int i = 0; i < 40; ++i) {
        const fs::path file = folder / (i % 2 ? "cat" : "dog") / fmt::format("{:02}.ppm", i);
        put(file, i % 3 == 0 ? cut : ppm(8, 8, static_cast<uint8_t>(i), 0, 0));
    }
    DatasetOptions options;
    options.type = "image_folder";
    options.path = folder.path().string();
    options.height = options.width = 8;
    options.cache_mb = 0;
    const CapturedLog log;
    const std::shared_ptr<const Dataset> whole = open_dataset(options, 0, 1);
    ASSERT_EQ(whole->size(), 40);
    const Split split = split_dataset(whole, 10, 4);
    std::set<int> seen[2];
    for (const auto* part : {split.held_out.get(), split.training.get()})
        for (int64_t i = 0; i < part->size(); ++i) {
            int64_t label = -1;
            const int number = read_example(*part, i, 0, &label)[0];
            EXPECT_EQ(label, number % 2 ? 0 : 1) << "the label goes with the picture";
            seen[part == split.training.get()].insert(number);
        }
    for (const int number : seen[0]) EXPECT_FALSE(seen[1].contains(number)) << number;
}

TEST(Holdout, CountsAndRefuses) {
    EXPECT_EQ(held_out_count(100, 0), 0);
    EXPECT_EQ(held_out_count(100, 0.001), 1);
    EXPECT_EQ(held_out_count(100, 0.25), 25);
    EXPECT_EQ(held_out_count(100, 99), 99);
    for (const double all : {100.0, 0.999, 1e9}) EXPECT_THROW(held_out_count(100, all), Error) << all;
    DatasetOptions options;
    options.holdout = 2.5;
    EXPECT_THROW(check(options), Error);
}

}  // namespace
}  // namespace ddpm
