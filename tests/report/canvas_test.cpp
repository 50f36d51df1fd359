#include "ddpm/report/canvas.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

namespace ddpm {
namespace {

// How much black lies on the white canvas, in pixels.
double ink(const Image& image) {
    double sum = 0;
    for (int y = 0; y < image.height; ++y)
        for (int x = 0; x < image.width; ++x) sum += (255 - image.at(x, y)[0]) / 255.0;
    return sum;
}

// The smallest box around all that is not white.
Box inked(const Image& image) {
    int left = image.width, top = image.height, right = 0, bottom = 0;
    for (int y = 0; y < image.height; ++y) {
        for (int x = 0; x < image.width; ++x) {
            if (image.at(x, y)[0] == 255) continue;
            left = std::min(left, x);
            top = std::min(top, y);
            right = std::max(right, x + 1);
            bottom = std::max(bottom, y + 1);
        }
    }
    return {left, top, right - left, bottom - top};
}

TEST(Canvas, ALineOfAnyDirectionCoversItsArea) {
    for (int degrees = 0; degrees < 360; degrees += 7) {
        Canvas canvas(200, 200);
        const double length = 150, width = 3, angle = degrees * M_PI / 180;
        const CanvasPoint half{std::cos(angle) * length / 2, std::sin(angle) * length / 2};
        canvas.line({{100 - half.x, 100 - half.y}, {100 + half.x, 100 + half.y}}, width, kBlack);
        // A rectangle and two round ends.
        const double area = length * width + M_PI * width * width / 4;
        EXPECT_NEAR(ink(canvas.image()), area, 0.02 * area) << degrees;
    }
}

TEST(Canvas, ATranslucentLineIsNoDarkerAtItsJoints) {
    Canvas canvas(60, 20);
    canvas.line({{5, 10}, {30, 10}, {55, 10}, {30, 10}}, 4, kBlack, 0.4);
    for (int x = 5; x < 55; ++x) EXPECT_EQ(canvas.image().at(x, 10)[0], 153) << x;
}

TEST(Canvas, NoPointsAreNothingAndOneIsADot) {
    Canvas canvas(20, 20);
    canvas.line({}, 4, kBlack);
    EXPECT_EQ(ink(canvas.image()), 0);
    canvas.line({{10, 10}}, 6, kBlack);
    EXPECT_NEAR(ink(canvas.image()), M_PI * 9, 0.5);
}

TEST(Canvas, ClipsAtTheBoxAndAtItsEdges) {
    Canvas canvas(50, 50);
    canvas.clip({10, 20, 15, 5});
    canvas.fill({-100, -100, 1000, 1000}, kBlack);
    canvas.line({{-1e5, 0}, {1e5, 50}}, 9, kBlack);
    const Box box = inked(canvas.image());
    EXPECT_EQ(box.left, 10);
    EXPECT_EQ(box.top, 20);
    EXPECT_EQ(box.width, 15);
    EXPECT_EQ(box.height, 5);
    EXPECT_EQ(ink(canvas.image()), 75);
    canvas.unclip();
    canvas.text({-20, 3}, "beyond every edge of the canvas", 30);
    canvas.picture(45, -3, make_image(10, 60, 4, 128));
    EXPECT_EQ(canvas.image().at(49, 49)[0], 191);  // half-transparent grey over white
}

TEST(Canvas, TextFillsTheWidthThatIsForetold) {
    for (const double size : {9.0, 13.0, 21.5}) {
        const std::string_view text = "HHH linear √ᾱₜ = 0.5 β σ ε ² ₀ − × · ≤ ≥ … HHH";
        Canvas canvas(800, 60);
        canvas.text({50, 40}, text, size);
        const Box box = inked(canvas.image());
        EXPECT_NEAR(box.left, 50, 0.1 * size + 1);
        EXPECT_NEAR(box.right(), 50 + text_width(text, size), 0.1 * size + 1);
    }
    EXPECT_EQ(text_width("", 14), 0);
    EXPECT_DOUBLE_EQ(text_width("ab", 14), text_width("a", 14) + text_width("b", 14));
    EXPECT_DOUBLE_EQ(text_width("ab", 28), 2 * text_width("ab", 14));
}

TEST(Canvas, TextIsAlignedAndStandsOnItsBaseline) {
    const auto box_of = [](Align align) {
        Canvas canvas(300, 60);
        canvas.text({150, 40}, "HIH", 20, kBlack, align);
        return inked(canvas.image());
    };
    const Box left = box_of(Align::left), centre = box_of(Align::centre), right = box_of(Align::right);
    EXPECT_EQ(left.bottom(), 40);
    EXPECT_NEAR(left.height, 0.63 * 20, 1);
    EXPECT_NEAR(left.left, 150, 3);
    EXPECT_NEAR(centre.left + centre.width / 2.0, 150, 1);
    EXPECT_NEAR(right.right(), 150, 3);
}

TEST(Canvas, UpwardsTextIsTheSameTextTurned) {
    Canvas level(120, 120), upwards(120, 120);
    level.text({10, 60}, "loss √ᾱ", 18);
    upwards.text({60, 110}, "loss √ᾱ", 18, kBlack, Align::left, true);
    // (x, y) of level text goes to (y, 120 − 1 − x).
    for (int y = 0; y < 120; ++y)
        for (int x = 0; x < 120; ++x) ASSERT_EQ(level.image().at(x, y)[0], upwards.image().at(y, 119 - x)[0]) << x << ", " << y;
}

TEST(Canvas, AnyBytesAreText) {
    Canvas canvas(300, 40);
    for (int first = 0; first < 256; ++first)
        for (const char* rest : {"", "a", "\x80", "\xbf\xbf", "\xbf\xbf\xbf"})
            canvas.text({5, 30}, std::string(1, static_cast<char>(first)) + rest, 20);
    EXPECT_GT(text_width("\xff", 20), 0);
    EXPECT_EQ(text_width("é", 20), text_width("e", 20));
    EXPECT_NE(text_width("ᾱ", 20), text_width("\xff", 20));  // a glyph of its own, not the box of a missing one
}

}  // namespace
}  // namespace ddpm
