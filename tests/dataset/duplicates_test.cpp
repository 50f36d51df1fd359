#include "ddpm/dataset/duplicates.h"

#include <algorithm>
#include <set>
#include <tuple>

#include <gtest/gtest.h>

#include "dataset/fixtures.h"
#include "ddpm/core/random.h"
#include "ddpm/dataset/holdout.h"
#include "ddpm/image/codec.h"
#include "ddpm/image/transform.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

// Pictures in memory.
class Pictures : public Dataset {
public:
    explicit Pictures(std::vector<Image> pictures) : Dataset(options(pictures.at(0))), pictures_(std::move(pictures)) {}
    int64_t size() const override { return static_cast<int64_t>(pictures_.size()); }
    const std::vector<std::string>& class_names() const override { return names_; }
    int64_t label(int64_t) const override { return -1; }
    std::string describe() const override { return "pictures"; }

protected:
    int64_t fetch(int64_t index, RandomStream&, uint8_t* hwc) const override {
        std::copy(pictures_[static_cast<size_t>(index)].pixels.begin(), pictures_[static_cast<size_t>(index)].pixels.end(), hwc);
        return -1;
    }

private:
    static DatasetOptions options(const Image& one) {
        DatasetOptions options;
        options.height = one.height;
        options.width = one.width;
        options.channels = one.channels;
        options.random_flip = true;  // must not be seen
        return options;
    }
    std::vector<Image> pictures_;
    std::vector<std::string> names_;
};

// A picture of independent greys 30 … 225.
Image noise(uint64_t seed, int side = 16) {
    RandomStream random(seed, Purpose::synthetic);
    Image image = make_image(side, side, 1);
    for (uint8_t& pixel : image.pixels) pixel = static_cast<uint8_t>(30 + random.below(196));
    return image;
}

template <class Change>
Image changed(Image image, const Change& change) {
    for (uint8_t& pixel : image.pixels) pixel = static_cast<uint8_t>(change(int{pixel}));
    return image;
}

// The picture with noise of −most … most, ≤ 30, on every pixel. With up to 9 on one of two pictures, and none on the other, they
// correlate with 0.995 and more, with 30 with about 0.955.
Image jittered(Image image, uint64_t most, uint64_t seed) {
    RandomStream random(seed, Purpose::synthetic, 1);
    for (uint8_t& pixel : image.pixels) pixel = static_cast<uint8_t>(pixel + random.below(2 * most + 1) - most);
    return image;
}

Duplicates search(const Dataset& dataset, size_t most = 1000, int threads = 2) {
    return find_duplicates({&dataset}, most, threads);
}

using Found = std::tuple<int64_t, int64_t, bool>;
std::vector<Found> list_of(const Duplicates& found) {
    std::vector<Found> list;
    for (const DuplicatePair& pair : found.pairs) list.emplace_back(pair.first.index, pair.second.index, pair.same);
    return list;
}

// The numbers are numpy.corrcoef's.
TEST(Duplicates, CorrelationIsPearsons) {
    Thumbnail a{}, b{}, ramp{}, half{}, square{}, inverse{};
    for (size_t k = 0; k < a.size(); ++k) {
        a[k] = static_cast<uint8_t>(k * 37 % 256);
        b[k] = static_cast<uint8_t>(k * k % 251);
        ramp[k] = static_cast<uint8_t>(k);
        half[k] = static_cast<uint8_t>(k / 2);
        square[k] = static_cast<uint8_t>(k * k / 255);
        inverse[k] = static_cast<uint8_t>(255 - a[k]);
    }
    EXPECT_NEAR(correlation(a, b), -0.0005811998170300367, 1e-12);
    EXPECT_NEAR(correlation(ramp, half), 0.9999771112052063, 1e-12);
    EXPECT_NEAR(correlation(ramp, square), 0.967857610974041, 1e-12);
    EXPECT_NEAR(correlation(a, inverse), -1, 1e-12);
    EXPECT_NEAR(correlation(a, a), 1, 1e-12);
}

// Independent noise of 256 pixels correlates with a deviation of 1/16: 0.99 is sixteen of them away.
TEST(Duplicates, ThereAreNoneAmongIndependentPictures) {
    std::vector<Image> pictures;
    for (uint64_t i = 0; i < 400; ++i) pictures.push_back(noise(i));
    const Duplicates found = search(Pictures(pictures));
    EXPECT_EQ(found.compared, 400);
    EXPECT_EQ(found.copies, 0);
    EXPECT_EQ(found.near_pairs, 0);
    EXPECT_TRUE(found.pairs.empty());
}

// What the definition says: brightness and contrast do not matter, a shift, a mirror and the negative do.
TEST(Duplicates, FindsWhatTheDefinitionSays) {
    const Image one = noise(1);
    Image shifted = one;
    std::rotate(shifted.pixels.begin(), shifted.pixels.begin() + 1, shifted.pixels.end());
    const Pictures pictures({one, noise(2), one, changed(one, [](int p) { return p + 20; }),
                             changed(one, [](int p) { return p / 2; }), shifted, flip_horizontal(one),
                             changed(one, [](int p) { return 255 - p; }), jittered(one, 5, 3), jittered(one, 30, 3)});
    const Duplicates found = search(pictures);
    EXPECT_EQ(found.compared, 10);
    EXPECT_EQ(found.copies, 1);
    // Of the two equal ones the first stands for both.
    const std::vector<Found> expected{{0, 2, true},  {0, 3, false}, {0, 4, false}, {0, 8, false},
                                      {3, 4, false}, {3, 8, false}, {4, 8, false}};
    EXPECT_EQ(list_of(found), expected);
    EXPECT_EQ(found.near_pairs, 6);
}

// Colours count for pictures that are the same, and larger pictures are reduced for what is nearly so.
TEST(Duplicates, ComparesGreysOfAnySize) {
    Image colour = convert_channels(noise(1, 64), 3), other = colour;
    other.pixels[1] ^= 1;
    std::vector<Image> pictures{colour, other};
    const Duplicates found = search(Pictures(pictures));
    EXPECT_EQ(found.copies, 0);
    EXPECT_EQ(list_of(found), (std::vector<Found>{{0, 1, false}}));
    const Image small = noise(1, 8);
    EXPECT_EQ(search(Pictures({small, noise(2, 8), small})).copies, 1);
    const Image clear = convert_channels(noise(1), 4);
    EXPECT_EQ(search(Pictures({clear, clear})).copies, 1);
}

TEST(Duplicates, PicturesOfOneColourCountOnlyIfTheyAreEqual) {
    const auto flat = [](uint8_t grey) { return make_image(16, 16, 1, grey); };
    const Duplicates found = search(Pictures({flat(0), flat(10), flat(255), flat(10), noise(1), flat(11)}));
    EXPECT_EQ(list_of(found), (std::vector<Found>{{1, 3, true}}));
    EXPECT_EQ(found.near_pairs, 0);
    EXPECT_EQ(search(Pictures({flat(7)})).compared, 1);
}

// Sizes around those of blocks, with near pairs everywhere, beside all pairs one by one; and with any number of threads.
TEST(Duplicates, AreThoseOfAllPairsWhateverTheBlocks) {
    for (const int64_t size : {1, 2, 63, 64, 65, 128, 200}) {
        std::vector<Image> pictures;
        for (int64_t i = 0; i < size; ++i)
            pictures.push_back(
                jittered(noise(static_cast<uint64_t>(i % 40)), static_cast<uint64_t>(i % 17), 100 + static_cast<uint64_t>(i)));
        std::vector<Found> expected;
        for (int64_t i = 0; i < size; ++i)
            for (int64_t j = i + 1; j < size; ++j)
                if (correlation(make_thumbnail(pictures[static_cast<size_t>(i)]),
                                make_thumbnail(pictures[static_cast<size_t>(j)])) > kNearlyTheSame)
                    expected.emplace_back(i, j, false);
        const Pictures dataset(pictures);
        const Duplicates found = search(dataset, 10'000);
        ASSERT_EQ(found.copies, 0);
        EXPECT_EQ(list_of(found), expected) << size;
        EXPECT_EQ(found.near_pairs, static_cast<int64_t>(expected.size()));
        if (size == 200) {
            EXPECT_GT(expected.size(), 20u);
            EXPECT_LT(expected.size(), 400u) << "some of 400 are below the threshold";
        }
        for (const size_t most : {0, 1, 5}) {
            const Duplicates few = search(dataset, most, 1);
            EXPECT_EQ(few.near_pairs, found.near_pairs);
            EXPECT_EQ(list_of(few),
                      std::vector<Found>(expected.begin(), expected.begin() + static_cast<long>(std::min(most, expected.size()))));
        }
    }
}

TEST(Duplicates, AcrossPartsAreCountedByThePictureAndComeFirst) {
    const Image one = noise(1), two = noise(2), three = noise(3);
    const auto brighter = [](const Image& image) { return changed(image, [](int p) { return p + 9; }); };
    const Pictures training({noise(10), one, two, one, brighter(noise(10))});
    const Pictures held_out({noise(20), one, brighter(two), brighter(two), three, three, one});
    const Duplicates found = find_duplicates({&training, &held_out}, 1000, 2);
    EXPECT_EQ(found.compared, 12);
    EXPECT_EQ(found.copies_across, 2) << "one, twice";
    EXPECT_EQ(found.near_across, 2) << "two, brighter, twice";
    EXPECT_EQ(found.copies, 5);
    EXPECT_EQ(found.near_pairs, 2);
    const std::vector<std::tuple<PictureOf, PictureOf, bool>> expected{
        {{0, 1}, {1, 1}, true}, {{0, 1}, {1, 6}, true}, {{0, 2}, {1, 2}, false}, {{0, 1}, {0, 3}, true},
        {{1, 2}, {1, 3}, true}, {{1, 4}, {1, 5}, true}, {{0, 0}, {0, 4}, false}};
    std::vector<std::tuple<PictureOf, PictureOf, bool>> list;
    for (const DuplicatePair& pair : found.pairs) list.emplace_back(pair.first, pair.second, pair.same);
    EXPECT_TRUE(list == expected);
}

// A picture that can't be read is not replaced by the next one, which would then be there twice.
TEST(Duplicates, LeaveOutWhatCannotBeRead) {
    const TempFolder folder;
    for (uint64_t i = 0; i < 4; ++i) write_png(folder / ("p" + std::to_string(i) + ".png"), noise(i));
    const std::string whole = read_file(folder / "p1.png", 1 << 20);
    put(folder / "p1.png", whole.substr(0, whole.size() / 2));
    DatasetOptions options;
    options.type = "image_folder";
    options.path = folder.path().string();
    options.height = options.width = 16;
    options.channels = 1;
    options.cache_mb = 0;
    const auto dataset = open_dataset(options, 1, 1);
    ASSERT_EQ(dataset->size(), 4);
    const Duplicates found = search(*dataset);
    EXPECT_EQ(found.compared, 3);
    EXPECT_EQ(found.copies, 0);
    ASSERT_EQ(found.unreadable.size(), 1u);
    EXPECT_NE(found.unreadable[0].find("p1.png"), std::string::npos) << found.unreadable[0];
}

TEST(Duplicates, PicturesHaveNames) {
    const TempFolder folder;
    for (const char* name : {"cat/a.png", "cat/b.png", "dog/a.png"}) {
        make_folders((folder / name).parent_path());
        write_png(folder / name, noise(static_cast<uint64_t>(name[0] + name[4])));
    }
    DatasetOptions options;
    options.type = "image_folder";
    options.path = folder.path().string();
    options.height = options.width = 16;
    const std::shared_ptr<const Dataset> dataset = open_dataset(options, 1, 1);
    EXPECT_EQ(dataset->name(0), "cat/a.png");
    EXPECT_EQ(dataset->name(2), "dog/a.png");
    const Split split = split_dataset(dataset, 1, 4);
    std::set<std::string> names{split.held_out->name(0), split.training->name(0), split.training->name(1)};
    EXPECT_EQ(names, (std::set<std::string>{"cat/a.png", "cat/b.png", "dog/a.png"}));
    EXPECT_EQ(Pictures({noise(1)}).name(0), "picture 0");
}

}  // namespace
}  // namespace ddpm
