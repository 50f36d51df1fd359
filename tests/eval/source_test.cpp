#include "ddpm/eval/source.h"

#include <cmath>
#include <utility>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace ddpm {
namespace {

// Ten pictures of 2×3 RGB, sorted by class; byte j of picture i is 10·i + j.
class Ten : public Dataset {
public:
    Ten() : Dataset(options()) {}
    int64_t size() const override { return 10; }
    const std::vector<std::string>& class_names() const override { return names_; }
    int64_t label(int64_t index) const override { return index / 5; }
    std::string describe() const override { return "ten"; }

protected:
    int64_t fetch(int64_t index, RandomStream&, uint8_t* hwc) const override {
        for (int j = 0; j < 18; ++j) hwc[j] = static_cast<uint8_t>(10 * index + j);
        return label(index);
    }

private:
    static DatasetOptions options() {
        DatasetOptions options;
        options.height = 2;
        options.width = 3;
        return options;
    }
    std::vector<std::string> names_{"low", "high"};
};

TEST(ImageSource, SpreadsPicturesOverTheDataSet) {
    const ImageSource source = dataset_source(std::make_shared<Ten>(), 4, 0, {7, 3});
    EXPECT_EQ(source.count, 4);
    EXPECT_EQ(source.description, "10 pictures of ten");
    const ImageBatch all = source.read(0, 4);
    EXPECT_EQ(all.pixels.sizes(), (std::vector<int64_t>{4, 2, 3, 3}));
    for (int64_t i = 0; i < 4; ++i) EXPECT_EQ(all.pixels[i][0][0][0].item<int>(), 10 * (i * 10 / 4));
    const ImageBatch chosen = dataset_source_at(std::make_shared<Ten>(), {7, 2}, 0).read(0, 2);
    EXPECT_EQ(chosen.pixels[0][0][0][0].item<int>(), 70);
    EXPECT_EQ(chosen.pixels[1][0][0][0].item<int>(), 20);
    EXPECT_TRUE(at::equal(all.labels, at::tensor({7, 7, 3, 3}, at::kLong)));
    const ImageBatch part = source.read(2, 2);
    EXPECT_TRUE(at::equal(part.pixels, all.pixels.slice(0, 2, 4)));
    EXPECT_TRUE(at::equal(part.labels, all.labels.slice(0, 2, 4)));
    const ImageSource whole = dataset_source(std::make_shared<Ten>(), 64, 0);
    EXPECT_EQ(whole.count, 10) << "there are no more";
    EXPECT_EQ(whole.read(9, 1).labels.item<int64_t>(), 1) << "its own label";
}

// A data set whose ten classes take turns gave pictures of one class where the count divided its size.
TEST(ImageSource, SpreadsOverClassesThatTakeTurns) {
    for (const auto& [size, count] : {std::pair<int64_t, int64_t>{50000, 100}, {50000, 500}, {50000, 2500}, {1000, 100}}) {
        const std::vector<int64_t> places = spread(size, count);
        ASSERT_EQ(static_cast<int64_t>(places.size()), count);
        std::vector<int64_t> of_class(10);
        for (int64_t i = 0; i < count; ++i) {
            EXPECT_GE(places[static_cast<size_t>(i)], i * size / count);
            EXPECT_LT(places[static_cast<size_t>(i)], (i + 1) * size / count);
            ++of_class[static_cast<size_t>(places[static_cast<size_t>(i)] % 10)];
        }
        // Within six deviations of a binomial count: below 1 in 10 million by chance, and the numbers are fixed.
        for (const int64_t n : of_class)
            EXPECT_NEAR(static_cast<double>(n), 0.1 * static_cast<double>(count), 6 * std::sqrt(0.09 * static_cast<double>(count)));
    }
    EXPECT_EQ(spread(3, 5), (std::vector<int64_t>{0, 1, 2}));
}

TEST(ImageSource, NetworksSeePixelsBetweenMinusOneAndOne) {
    at::Tensor pixels = at::zeros({1, 2, 3, 3}, at::kByte);
    pixels[0][1][2][0] = 255;
    pixels[0][0][1][2] = 51;
    const at::Tensor x = to_x_start(pixels);
    EXPECT_EQ(x.sizes(), (std::vector<int64_t>{1, 3, 2, 3}));
    EXPECT_EQ(x[0][0][1][2].item<float>(), 1);
    EXPECT_NEAR(x[0][2][0][1].item<float>(), -0.6, 1e-7);
    EXPECT_EQ(x[0][0][0][0].item<float>(), -1);
}

}  // namespace
}  // namespace ddpm
