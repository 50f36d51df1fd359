#include "ddpm/image/transform.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/image/codec.h"
#include "ddpm/image/grid.h"
#include "ddpm/image/pixels.h"
#include "golden.h"

namespace ddpm {
namespace {

TEST(Resize, EqualsPillowByteForByte) {
    for (const auto& [mode, channels] : {std::pair{"L", 1}, {"RGB", 3}, {"RGBA", 4}}) {
        const Image source = golden::picture(channels);
        for (const auto& [width, height] : {std::pair{8, 6}, {29, 23}, {1, 1}, {13, 4}}) {
            const std::string name = fmt::format("resize_{}_{}x{}.png", mode, width, height);
            EXPECT_EQ(resize(source, width, height), read_image(golden::file(name), {.channels = channels})) << name;
        }
    }
}

TEST(Resize, KeepsAConstantAndALinearRamp) {
    EXPECT_EQ(resize(make_image(40, 30, 3, 77), 7, 91), make_image(7, 91, 3, 77));
    // Cubic convolution reproduces straight lines; away from the borders a ramp of 2 a pixel is 8 a pixel at a quarter.
    Image ramp = make_image(100, 1, 1);
    for (int x = 0; x < 100; ++x) *ramp.at(x, 0) = static_cast<uint8_t>(2 * x);
    const Image small = resize(ramp, 25, 1);
    for (int x = 2; x < 23; ++x) EXPECT_NEAR(*small.at(x, 0), 8 * x + 3, 0.51);
}

TEST(Resize, TransparentPixelsLendNoColour) {
    Image image = make_image(4, 1, 4);  // transparent black beside opaque red
    for (int x = 2; x < 4; ++x) image.at(x, 0)[0] = image.at(x, 0)[3] = 255;
    const Image half = resize(image, 1, 1);
    EXPECT_EQ(half.at(0, 0)[0], 255);
    EXPECT_NEAR(half.at(0, 0)[3], 127.5, 1);
}

TEST(Transform, CropsAndFlips) {
    const Image image = golden::picture(3);
    const Image part = crop(image, 4, 3, 5, 2);
    for (int y = 0; y < 2; ++y)
        for (int x = 0; x < 5; ++x)
            for (int c = 0; c < 3; ++c) ASSERT_EQ(part.at(x, y)[c], golden::value(x + 4, y + 3, c));
    const Image mirrored = flip_horizontal(image);
    for (int y = 0; y < golden::kHeight; ++y)
        for (int x = 0; x < golden::kWidth; ++x)
            for (int c = 0; c < 3; ++c) ASSERT_EQ(mirrored.at(x, y)[c], golden::value(golden::kWidth - 1 - x, y, c));
    EXPECT_EQ(flip_horizontal(mirrored), image);
    EXPECT_THROW(crop(image, 9, 0, 5, 1), Error);
    EXPECT_THROW(crop(image, -1, 0, 5, 1), Error);
    EXPECT_THROW(crop(image, 0, 0, 1, 0), Error);
}

TEST(Transform, EnlargesByRepeating) {
    const Image big = enlarge(golden::picture(3), 3);
    ASSERT_EQ(big.width, 39);
    ASSERT_EQ(big.height, 33);
    for (int y = 0; y < 33; ++y)
        for (int x = 0; x < 39; ++x) ASSERT_EQ(big.at(x, y)[1], golden::value(x / 3, y / 3, 1));
}

TEST(Transform, GreySurvivesColour) {
    Image grey = make_image(256, 1, 1);
    for (int v = 0; v < 256; ++v) *grey.at(v, 0) = static_cast<uint8_t>(v);
    EXPECT_EQ(convert_channels(convert_channels(grey, 3), 1), grey);
    EXPECT_EQ(convert_channels(convert_channels(grey, 4), 1), grey);
    EXPECT_THROW(convert_channels(grey, 2), Error);
}

TEST(Grid, PlacesImagesWithGaps) {
    std::vector<Image> images;
    for (int i = 0; i < 5; ++i) images.push_back(make_image(4, 2, 3, static_cast<uint8_t>(10 * i)));
    const Image grid = make_grid(images, 0, 1, 200);  // 3 columns, 2 rows
    ASSERT_EQ(grid.width, 1 + 3 * 5);
    ASSERT_EQ(grid.height, 1 + 2 * 3);
    for (int y = 0; y < grid.height; ++y) {
        for (int x = 0; x < grid.width; ++x) {
            const int index = x / 5 + y / 3 * 3;
            const bool gap = x % 5 == 0 || y % 3 == 0 || index >= 5;
            ASSERT_EQ(*grid.at(x, y), gap ? 200 : 10 * index) << x << ", " << y;
        }
    }
    EXPECT_EQ(make_grid(images, 1, 0, 0).height, 10);
    EXPECT_THROW(make_grid({}), Error);
    images.push_back(make_image(4, 3, 3));
    EXPECT_THROW(make_grid(images), Error);
}

TEST(Pixels, SpanMinusOneToOneAndComeBack) {
    Image image = make_image(256, 1, 3);
    for (int v = 0; v < 256; ++v)
        for (int c = 0; c < 3; ++c) image.at(v, 0)[c] = static_cast<uint8_t>(v ^ c);
    std::vector<float> x(image.pixels.size());
    to_signed_unit(image.pixels.data(), 1, 256, 3, x.data());
    for (int c = 0; c < 3; ++c)
        for (int v = 0; v < 256; ++v) ASSERT_NEAR(x[c * 256 + v], 2 * ((v ^ c) / 255.0) - 1, 1e-7);
    EXPECT_EQ(*std::min_element(x.begin(), x.end()), -1.0f);
    EXPECT_EQ(*std::max_element(x.begin(), x.end()), 1.0f);
    EXPECT_EQ(from_signed_unit(x.data(), 3, 1, 256), image);
}

TEST(Pixels, AreClampedAndRounded) {
    const float infinity = std::numeric_limits<float>::infinity();
    const float x[] = {
        -3, 3, -infinity, infinity, std::numeric_limits<float>::quiet_NaN(), 0, 2 * 100.4f / 255 - 1, 2 * 100.6f / 255 - 1};
    const Image image = from_signed_unit(x, 1, 1, 8);
    EXPECT_EQ(image.pixels, (std::vector<uint8_t>{0, 255, 0, 255, 0, 128, 100, 101}));
}

}  // namespace
}  // namespace ddpm
