#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <set>

#include "dataset/fixtures.h"
#include "dataset/palette.h"
#include "dataset/raster.h"

namespace ddpm::dataset {
namespace {

std::unique_ptr<Dataset> shapes(int64_t height, int64_t width, int64_t channels = 3, uint64_t seed = 0) {
    DatasetOptions options;
    options.height = height;
    options.width = width;
    options.channels = channels;
    options.length = 200;
    return open_dataset(options, seed, 1);
}

double area(const SignedDistance& distance, int height, int width) {
    const std::vector<float> inside = rasterise(distance, height, width);
    return std::accumulate(inside.begin(), inside.end(), 0.0);
}

// To a few thousandths of a pixel along an edge and a few hundredths at a corner.
TEST(Raster, CoverageSumsToTheArea) {
    for (const float radius : {2.3f, 6.1f, 11.7f}) {
        const SignedDistance disc = [&](Vector2 p) { return (p - Vector2{14.3f, 12.8f}).length() - radius; };
        EXPECT_NEAR(area(disc, 26, 29), std::numbers::pi * radius * radius, 0.003 * 2 * std::numbers::pi * radius);
    }
    // An axis-aligned rectangle with fractional edges: each pixel holds the product of two overlaps.
    const std::vector<Vector2> corners{{1.25f, 2.5f}, {5.75f, 2.5f}, {5.75f, 4.25f}, {1.25f, 4.25f}};
    const SignedDistance rectangle = [&](Vector2 p) { return polygon_distance(p, corners); };
    EXPECT_NEAR(area(rectangle, 8, 8), 4.5 * 1.75, 4 * 0.04);
    EXPECT_NEAR(rasterise(rectangle, 8, 8)[3 * 8 + 3], 1, 1e-6);
    EXPECT_NEAR(rasterise(rectangle, 8, 8)[2 * 8 + 3], 0.5, 1e-6);
    EXPECT_NEAR(rasterise(rectangle, 8, 8)[3 * 8 + 1], 0.75, 0.01);
    EXPECT_EQ(rasterise(rectangle, 8, 8)[0], 0);
}

TEST(Raster, PolygonDistanceAgreesWithAClosedForm) {
    // A 3-4-5 triangle: inside, the distance to the nearest side; outside, to a side or a corner.
    const std::vector<Vector2> triangle{{0, 0}, {3, 0}, {0, 4}};
    EXPECT_NEAR(polygon_distance({1, 1}, triangle), -1, 1e-6);  // the incircle's centre
    EXPECT_NEAR(polygon_distance({-3, -4}, triangle), 5, 1e-6);
    EXPECT_NEAR(polygon_distance({1, -2}, triangle), 2, 1e-6);
    EXPECT_NEAR(polygon_distance({3, 4}, triangle), 12 / 5.0, 1e-6);
    EXPECT_NEAR(polygon_distance({0.5f, 0.25f}, triangle), -0.25, 1e-6);
}

TEST(Palette, OklchMatchesThePublishedPrimaries) {
    // OKLCH of sRGB red, green and blue from CSS Color 4's tables.
    const struct {
        double lightness, chroma, degrees;
        Rgb rgb;
    } cases[] = {{0.62796, 0.25768, 29.2339, {255, 0, 0}},
                 {0.86644, 0.29483, 142.4953, {0, 255, 0}},
                 {0.45201, 0.31321, 264.0520, {0, 0, 255}},
                 {1, 0, 0, {255, 255, 255}}};
    for (const auto& c : cases) {
        const Rgb rgb = oklch(c.lightness, c.chroma * 0.9999, c.degrees / 360);
        for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(rgb[i], c.rgb[i], 1.5);
    }
}

TEST(Shapes, FollowFromSeedAndIndexAlone) {
    const auto a = shapes(16, 16), b = shapes(16, 16), other = shapes(16, 16, 3, 1);
    EXPECT_EQ(read_example(*a, 17, 0), read_example(*b, 17, 5));
    EXPECT_NE(read_example(*a, 17), read_example(*a, 27));
    EXPECT_NE(read_example(*a, 17), read_example(*other, 17));
}

TEST(Shapes, TenClassesTakeTurns) {
    const auto dataset = shapes(16, 16);
    ASSERT_EQ(dataset->class_names().size(), 10u);
    EXPECT_EQ(std::set<std::string>(dataset->class_names().begin(), dataset->class_names().end()).size(), 10u);
    for (int64_t i = 0; i < 30; ++i) {
        int64_t label = -1;
        read_example(*dataset, i, 0, &label);
        EXPECT_EQ(label, i % 10);
        EXPECT_EQ(dataset->label(i), label);
    }
}

// The shape is the part that differs clearly from the corners' colours: large, and never cut by the frame.
TEST(Shapes, EveryShapeIsLargeAndWhollyInTheFrame) {
    for (const auto& [height, width] : {std::pair{16, 16}, {64, 64}, {24, 60}, {61, 17}}) {
        const auto dataset = shapes(height, width);
        for (int64_t index = 0; index < 100; ++index) {
            const std::vector<uint8_t> pixels = read_example(*dataset, index);
            const auto difference = [&, height = height, width = width](int y, int x) {
                int nearest = 1000;
                for (const auto& [cy, cx] : {std::pair{0, 0}, {0, width - 1}, {height - 1, 0}, {height - 1, width - 1}}) {
                    int sum = 0;
                    for (int c = 0; c < 3; ++c)
                        sum += std::abs(pixels[(y * width + x) * 3 + c] - pixels[(cy * width + cx) * 3 + c]);
                    nearest = std::min(nearest, sum);
                }
                return nearest;
            };
            int covered = 0, on_border = 0;
            for (int y = 0; y < height; ++y)
                for (int x = 0; x < width; ++x)
                    if (difference(y, x) > 90) {
                        ++covered;
                        on_border += y == 0 || x == 0 || y == height - 1 || x == width - 1;
                    }
            const double side = std::min(height, width);
            EXPECT_GT(covered / (side * side), 0.12) << dataset->class_names()[index % 10] << " " << index;
            EXPECT_LT(covered / (side * side), 0.65) << dataset->class_names()[index % 10] << " " << index;
            EXPECT_EQ(on_border, 0) << dataset->class_names()[index % 10] << " " << index;
        }
    }
}

TEST(Shapes, GreyAndRgbaAreConversions) {
    const std::vector<uint8_t> rgb = read_example(*shapes(16, 16), 3), grey = read_example(*shapes(16, 16, 1), 3),
                               rgba = read_example(*shapes(16, 16, 4), 3);
    for (size_t i = 0; i < 256; ++i) {
        EXPECT_NEAR(grey[i], 0.299 * rgb[i * 3] + 0.587 * rgb[i * 3 + 1] + 0.114 * rgb[i * 3 + 2], 1);
        EXPECT_EQ(rgba[i * 4 + 1], rgb[i * 3 + 1]);
        EXPECT_EQ(rgba[i * 4 + 3], 255);
    }
}

}  // namespace
}  // namespace ddpm::dataset
