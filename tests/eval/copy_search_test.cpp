#include "ddpm/eval/copy_search.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "ddpm/dataset/dataset.h"
#include "support/errors.h"

namespace ddpm {
namespace {

constexpr int64_t kSide = 16;

// Pictures first … first + n − 1 of the built-in shapes of a seed, [n, 3, 16, 16] bytes. They are independent draws of one law.
at::Tensor shapes(int64_t first, int64_t n, uint64_t seed) {
    DatasetOptions options;
    options.height = options.width = kSide;
    options.length = first + n;
    const std::unique_ptr<Dataset> dataset = open_dataset(options, seed, 1);
    const at::Tensor pixels = at::empty({n, kSide, kSide, 3}, at::kByte);
    for (int64_t i = 0; i < n; ++i) dataset->read_as_it_is(first + i, pixels[i].mutable_data_ptr<uint8_t>());
    return pixels.permute({0, 3, 1, 2}).contiguous();
}

// Sets whose training pictures are those of a tensor [T, C, H, W].
CopySets sets_of(const at::Tensor& training, const at::Tensor& held_out, const at::Tensor& samples) {
    CopySets sets;
    sets.samples = samples;
    sets.held_out = held_out;
    sets.training = training.size(0);
    sets.read = [pixels = training.permute({0, 2, 3, 1}).contiguous()](int64_t first, int64_t n) {
        return NumberedPictures{pixels.slice(0, first, first + n), at::arange(first, first + n, at::kLong)};
    };
    return sets;
}

CopySearch by_pixels(const CopySets& sets, bool mirrored = false) {
    return search_copies(sets, nullptr, {.mirrored = mirrored}, [](int64_t) {});
}

// Moves pictures down and to the right; the first row and column are doubled.
at::Tensor moved(const at::Tensor& pictures) {
    const auto doubled = [](const at::Tensor& x, int64_t dim) {
        return at::cat({x.slice(dim, 0, 1), x.slice(dim, 0, x.size(dim) - 1)}, dim);
    };
    return doubled(doubled(pictures, 2), 3);
}

// 700 samples, 2 or 10 % of which are copies of training pictures, copies moved by a pixel, or mirrored copies.
TEST(CopySearch, FindsPlantedCopies) {
    const at::Tensor all = shapes(0, 2700, 1), training = all.slice(0, 0, 1000), held_out = all.slice(0, 1000, 2000);
    for (const int64_t planted : {14, 70})
        for (const char* kind : {"same", "moved", "mirrored"}) {
            SCOPED_TRACE(std::string(kind) + " " + std::to_string(planted));
            const std::string way = kind;
            at::Tensor samples = all.slice(0, 2000).clone(), copies = training.slice(0, 300, 300 + planted);
            samples.slice(0, 5, 5 + planted).copy_(way == "moved" ? moved(copies) : way == "mirrored" ? copies.flip(3) : copies);
            const CopySearch search = by_pixels(sets_of(training, held_out, samples), way == "mirrored");
            const CopyMeasure& pixel = search.measures.at(0);
            EXPECT_EQ(pixel.equal, planted);
            EXPECT_TRUE(pixel.ratios.slice(0, 5, 5 + planted).eq(0).all().item<bool>());
            EXPECT_TRUE(at::equal(pixel.training.slice(0, 5, 5 + planted), at::arange(300, 300 + planted, at::kLong)));
            EXPECT_TRUE(accuses(pixel, search)) << pixel.copies.p_value;
            EXPECT_GE(pixel.copies.rows.size(0), planted);
            EXPECT_GT(pixel.copies.flagged.low, pixel.copies.expected);
            EXPECT_EQ(copying_verdict(search).rfind("copies: of 700 samples ", 0), 0u) << copying_verdict(search);
            EXPECT_LE(suspicion(search).slice(0, 5, 5 + planted).max().item<double>(), 0);
        }
}

TEST(CopySearch, MirroredCopiesCountWhereTheTrainingMirrors) {
    const at::Tensor all = shapes(0, 300, 2), training = all.slice(0, 0, 100);
    const CopySets sets = sets_of(training, all.slice(0, 100, 200), training.flip(3));
    EXPECT_EQ(by_pixels(sets, true).measures.at(0).equal, 100);
    EXPECT_LT(by_pixels(sets, false).measures.at(0).equal, 10);
}

// Both distances see copies, and a feature of a picture is that of Features.
TEST(CopySearch, FeaturesSeeCopiesToo) {
    const at::Tensor all = shapes(0, 800, 3), training = all.slice(0, 0, 350);
    at::Tensor samples = all.slice(0, 700).clone();
    samples.slice(0, 0, 12).copy_(training.slice(0, 20, 32).flip(3));
    const CopySets sets = sets_of(training, all.slice(0, 350, 700), samples);
    const std::unique_ptr<Features> features = make_features("scatter", {3, kSide, kSide});
    int64_t last = 0;
    const CopySearch search =
        search_copies(sets, features.get(), {.mirrored = true, .batch = 33}, [&](int64_t done) { last = done; });
    EXPECT_EQ(last, 700) << "two passes over 350";
    ASSERT_EQ(search.measures.size(), 2u);
    for (const CopyMeasure& measure : search.measures) {
        EXPECT_TRUE(accuses(measure, search)) << measure.name << " " << measure.copies.p_value;
        EXPECT_TRUE(at::equal(measure.training.slice(0, 0, 12), at::arange(20, 32, at::kLong))) << measure.name;
        EXPECT_LT(measure.ratios.slice(0, 0, 12).max().item<double>(), 1e-3) << measure.name;
    }
    const auto of = [&](const at::Tensor& pictures) {
        return features->transformed(features->raw(pictures), features->fit(features->raw(training))).to(at::kDouble);
    };
    const at::Tensor expected = nearness_ratios(of(samples.slice(0, 12)), of(training));
    const CopySearch plain = search_copies(sets, features.get(), {.batch = 50}, [](int64_t) {});
    EXPECT_LT((plain.measures.at(1).ratios.slice(0, 12) - expected).abs().max().item<double>(), 1e-4);
    EXPECT_NEAR(plain.measures.at(1).authentic.value, authentic_share(of(samples), of(training)).value, 0.011);
}

// A model without copies: forty sets of fresh draws. An accusation is false in at most one case of twenty, which makes two of forty;
// more than six have a chance of 1 in 300.
TEST(CopySearch, RarelyAccusesTheClean) {
    int64_t accused = 0, stand_in_accused = 0;
    double flagged = 0, expected = 0;
    for (uint64_t seed = 100; seed < 140; ++seed) {
        const at::Tensor all = shapes(0, 499, seed), training = all.slice(0, 0, 200), samples = all.slice(0, 399);
        const CopySearch search = by_pixels(sets_of(training, all.slice(0, 200, 399), samples));
        accused += accuses(search.measures.at(0), search) ? 1 : 0;
        flagged += search.measures.at(0).copies.flagged.value / 40;
        expected = search.measures.at(0).copies.expected;
        CopySets alone = sets_of(training, training, samples);
        alone.own = at::arange(200, at::kLong);
        const CopySearch stand_ins = by_pixels(alone);
        stand_in_accused += accuses(stand_ins.measures.at(0), stand_ins) ? 1 : 0;
    }
    EXPECT_LE(accused, 6);
    EXPECT_LE(stand_in_accused, 6);
    EXPECT_NEAR(flagged, expected, 0.008) << "four standard errors";
}

// Everything again, one number after the other.
TEST(CopySearch, IsWhatItSaysPictureByPicture) {
    const at::Tensor all = shapes(0, 110, 5), training = all.slice(0, 0, 70), held_out = all.slice(0, 70, 100);
    const at::Tensor samples = at::cat({all.slice(0, 100), training.slice(0, 3, 4).flip(3)});
    const auto byte = [](const at::Tensor& picture, int64_t c, int64_t y, int64_t x) -> int64_t {
        return picture.const_data_ptr<uint8_t>()[(c * kSide + y) * kSide + x];
    };
    const auto distance = [&](const at::Tensor& above, const at::Tensor& below) {
        int64_t least = INT64_MAX;
        for (const bool mirror : {false, true})
            for (int64_t down = -1; down <= 1; ++down)
                for (int64_t right = -1; right <= 1; ++right) {
                    int64_t sum = 0;
                    for (int64_t c = 0; c < 3; ++c)
                        for (int64_t y = 1; y < kSide - 1; ++y)
                            for (int64_t x = 1; x < kSide - 1; ++x) {
                                const int64_t column = mirror ? kSide - 1 - (x + right) : x + right;
                                const int64_t d = byte(above, c, y + down, column) - byte(below, c, y, x);
                                sum += d * d;
                            }
                    least = std::min(least, sum);
                }
        return std::sqrt(static_cast<double>(least));
    };
    const CopySearch search = by_pixels(sets_of(training, held_out, samples), true);
    const CopyMeasure& pixel = search.measures.at(0);
    int64_t nearer = 0, authentic = 0;
    for (int64_t i = 0; i < samples.size(0); ++i) {
        std::vector<std::pair<double, int64_t>> near, held;
        for (int64_t t = 0; t < 70; ++t) near.emplace_back(distance(samples[i].contiguous(), training[t].contiguous()), t);
        for (int64_t h = 0; h < 30; ++h) held.emplace_back(distance(samples[i].contiguous(), held_out[h].contiguous()), h);
        std::sort(near.begin(), near.end());
        std::sort(held.begin(), held.end());
        double sum = 0;
        for (size_t k = 0; k < 50; ++k) sum += near[k].first;
        EXPECT_NEAR(pixel.ratios[i].item<double>(), near[0].first / (sum / 50 / 2), 1e-12);
        EXPECT_EQ(pixel.to_training[i].item<double>(), near[0].first);
        EXPECT_EQ(pixel.training[i].item<int64_t>(), near[0].second);
        EXPECT_EQ(pixel.to_held_out[i].item<double>(), held[0].first);
        EXPECT_EQ(pixel.held_out[i].item<int64_t>(), held[0].second);
        nearer += near[0].first < held[0].first ? 1 : 0;
        double around = INFINITY;
        for (int64_t t = 0; t < 70; ++t)
            if (t != near[0].second)
                around = std::min(around, distance(training[near[0].second].contiguous(), training[t].contiguous()));
        authentic += around < near[0].first ? 1 : 0;
    }
    EXPECT_EQ(pixel.ratios[10].item<double>(), 0);
    EXPECT_EQ(pixel.equal, 1);
    EXPECT_EQ(pixel.nearer_to_training->value, static_cast<double>(nearer) / 11);
    EXPECT_EQ(pixel.authentic.value, static_cast<double>(authentic) / 11);
    EXPECT_EQ(search.nearer_expected, 0.7);
    EXPECT_EQ(search.training, 70);
}

TEST(CopySearch, DoesNotDependOnThreads) {
    const at::Tensor all = shapes(0, 460, 6);
    const CopySets sets = sets_of(all.slice(0, 0, 300), all.slice(0, 300, 400), all.slice(0, 400));
    const int threads = at::get_num_threads();
    at::set_num_threads(1);
    const CopySearch one = by_pixels(sets);
    at::set_num_threads(3);
    const CopySearch three = by_pixels(sets);
    at::set_num_threads(threads);
    EXPECT_TRUE(at::equal(one.measures[0].ratios, three.measures[0].ratios));
    EXPECT_TRUE(at::equal(one.measures[0].training, three.measures[0].training));
    EXPECT_EQ(one.sha256, three.sha256);
    EXPECT_EQ(one.measures[0].authentic.value, three.measures[0].authentic.value);
}

// What can't be read is as if it were not there, but for the numbers of the others.
TEST(CopySearch, LeavesOutWhatCannotBeRead) {
    const at::Tensor all = shapes(0, 130, 7), training = all.slice(0, 0, 80), kept = training.slice(0, 0, 80, 2);
    CopySets sets = sets_of(training, all.slice(0, 80, 110), all.slice(0, 110));
    sets.read = [read = sets.read](int64_t first, int64_t n) {
        const NumberedPictures pictures = read(first, n);
        const at::Tensor even = pictures.numbers.remainder(2).eq(0).nonzero().squeeze(1);
        return NumberedPictures{pictures.pixels.index_select(0, even), pictures.numbers.index_select(0, even)};
    };
    const CopySearch search = by_pixels(sets), expected = by_pixels(sets_of(kept, sets.held_out, sets.samples));
    EXPECT_EQ(search.training, 40);
    EXPECT_EQ(search.sha256, expected.sha256);
    EXPECT_TRUE(at::equal(search.measures[0].ratios, expected.measures[0].ratios));
    EXPECT_TRUE(at::equal(search.measures[0].training, expected.measures[0].training * 2));
}

// A training picture that stands in is beside the others: those of a set without one row have the same distances.
TEST(CopySearch, TrainingPicturesCanStandIn) {
    const at::Tensor all = shapes(0, 90, 8), training = all.slice(0, 0, 60);
    CopySets sets = sets_of(training, training.slice(0, 20, 40), all.slice(0, 60));
    sets.own = at::arange(20, 40, at::kLong);
    const CopySearch search = by_pixels(sets);
    const CopyMeasure& pixel = search.measures.at(0);
    EXPECT_TRUE(search.stands_in);
    EXPECT_FALSE(pixel.nearer_to_training);
    EXPECT_FALSE(pixel.data_copying);
    EXPECT_FALSE(pixel.held_out.defined());
    EXPECT_EQ(pixel.held_out_equal, 0);
    const at::Tensor others = at::cat({training.slice(0, 0, 25), training.slice(0, 26)});
    const CopySearch without = by_pixels(sets_of(others, training.slice(0, 25, 26), all.slice(0, 60)));
    EXPECT_NEAR(pixel.held_out_ratios[5].item<double>(), without.measures.at(0).held_out_ratios[0].item<double>(), 1e-12);
    EXPECT_NE(copying_verdict(search).find("of 30 samples"), std::string::npos);
}

TEST(CopySearch, SaysWhereCopiesCannotBeTold) {
    const at::Tensor all = shapes(0, 120, 9), training = all.slice(0, 0, 60);
    const CopySearch search = by_pixels(sets_of(training, training.slice(0, 0, 30), all.slice(0, 60)));
    EXPECT_EQ(search.measures.at(0).held_out_equal, 30);
    EXPECT_EQ(search.measures.at(0).copies.threshold, 0);
    EXPECT_EQ(copying_verdict(search).rfind("copies can't be told", 0), 0u) << copying_verdict(search);
    EXPECT_TRUE(at::isfinite(suspicion(search)).all().item<bool>());
}

TEST(CopySearch, RefusesTooFewTrainingPictures) {
    const at::Tensor all = shapes(0, 12, 10);
    EXPECT_SAYS(error_of([&] { by_pixels(sets_of(all.slice(0, 0, 2), all.slice(0, 2, 6), all.slice(0, 6))); }),
                "the training pictures: 2 can be read, but at least 3 are needed");
}

}  // namespace
}  // namespace ddpm
