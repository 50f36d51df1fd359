#include "ddpm/report/plot.h"

#include <cmath>
#include <limits>
#include <set>

#include <gtest/gtest.h>

#include "ddpm/report/loss_curve.h"
#include "ddpm/report/tiles.h"
#include "report/axis.h"

namespace ddpm::report {
namespace {

std::vector<std::string> labels(const Axis& axis, int count) {
    std::vector<std::string> all;
    for (const Tick& tick : make_ticks(axis, count))
        if (!tick.label.empty()) all.push_back(tick.label);
    return all;
}

using Labels = std::vector<std::string>;

TEST(Axis, TicksStandAtRoundNumbers) {
    EXPECT_EQ(labels({0, 1}, 5), (Labels{"0", "0.2", "0.4", "0.6", "0.8", "1.0"}));
    EXPECT_EQ(labels({-10.4, 9.3}, 4), (Labels{"−10", "−5", "0", "5"}));
    EXPECT_EQ(labels({0, 20000}, 5), (Labels{"0", "5,000", "10,000", "15,000", "20,000"}));
    EXPECT_EQ(labels({0, 3e6}, 4), (Labels{"0", "10⁶", "2×10⁶", "3×10⁶"}));
    EXPECT_EQ(labels({0, 2.5e-5}, 3), (Labels{"0", "10⁻⁵", "2×10⁻⁵"}));
    EXPECT_EQ(labels({1.02, 1.07}, 5), (Labels{"1.02", "1.03", "1.04", "1.05", "1.06", "1.07"}));
}

TEST(Axis, LogarithmicTicksAreDecadesAndWhatFewDecadesNeed) {
    EXPECT_EQ(labels({1e-4, 1, true}, 6), (Labels{"10⁻⁴", "10⁻³", "10⁻²", "10⁻¹", "10⁰"}));
    EXPECT_EQ(labels({0.015, 1.2, true}, 6), (Labels{"0.02", "0.05", "0.1", "0.2", "0.5", "1"}));
    EXPECT_EQ(labels({0.2, 0.5, true}, 3), (Labels{"0.2", "0.3", "0.4", "0.5"}));
    EXPECT_EQ(labels({1e-20, 1, true}, 5), (Labels{"10⁻²⁰", "10⁻¹⁶", "10⁻¹²", "10⁻⁸", "10⁻⁴", "10⁰"}));
}

TEST(Axis, TicksAscendWithinTheAxisWhateverItSpans) {
    for (const bool logarithmic : {false, true}) {
        for (double low = 1e-9; low < 1e9; low *= 3.7) {
            for (double factor = 1.0001; factor < 1e12; factor *= 2.9) {
                const Axis axis{low, low * factor, logarithmic};
                double before = -std::numeric_limits<double>::infinity();
                std::set<std::string> seen;
                int labelled = 0;
                for (const Tick& tick : make_ticks(axis, 5)) {
                    ASSERT_TRUE(axis.shows(tick.value));
                    ASSERT_GT(tick.value, before);
                    before = tick.value;
                    if (tick.label.empty()) continue;
                    ASSERT_TRUE(seen.insert(tick.label).second) << tick.label << " twice on " << low << " … " << low * factor;
                    ++labelled;
                }
                ASSERT_GE(labelled, 1) << low << " … " << low * factor;
                ASSERT_LE(labelled, 14) << low << " … " << low * factor;
            }
        }
    }
}

// Rows of the picture where column x shows the first colour of the palette.
std::vector<int> blue_rows(const Image& image, int x) {
    std::vector<int> rows;
    for (int y = 90; y < image.height; ++y)
        if (image.at(x, y)[0] == 0 && image.at(x, y)[1] == 114 && image.at(x, y)[2] == 178) rows.push_back(y);
    return rows;
}

TEST(Plot, DrawsACurveAndLeavesGapsWhereThereIsNoNumber) {
    LinePlot plot{.title = "A line", .x_label = "x", .y_label = "y"};
    Series series{.name = "line", .width = 3};
    for (int i = 0; i <= 100; ++i) {
        series.xs.push_back(i);
        series.ys.push_back(i >= 40 && i <= 60 ? std::nan("") : 5);
    }
    plot.series = {series};
    plot.y_range = {0, 10};
    const Image image = draw_plots({plot});
    ASSERT_EQ(image.width, 640);
    ASSERT_EQ(image.height, 400);
    EXPECT_FALSE(blue_rows(image, 200).empty());
    EXPECT_TRUE(blue_rows(image, 340).empty());  // the middle of the plot's area
    EXPECT_FALSE(blue_rows(image, 500).empty());
    // y = 5 lies in the middle of the area, between legend and tick labels.
    EXPECT_NEAR(blue_rows(image, 200)[0], 204, 15);
}

TEST(Plot, SurvivesWhateverNumbersItGets) {
    const double infinity = std::numeric_limits<double>::infinity();
    for (const bool logarithmic : {false, true}) {
        for (const std::vector<double>& ys : {std::vector<double>{},
                                              {1},
                                              {0, 0},
                                              {1e308, -1e308},
                                              {-1, -2},
                                              {infinity, 3},
                                              {std::nan(""), std::nan("")},
                                              {1e-320, 1},
                                              {5, 5, 5},
                                              {1e16, 1e16 + 2}}) {
            Series series{.name = "a", .ys = ys};
            for (size_t i = 0; i < ys.size(); ++i) series.xs.push_back(static_cast<double>(i));
            const Image image = draw_plots({{.title = "x", .series = {series}, .log_x = logarithmic, .log_y = logarithmic}});
            EXPECT_EQ(image.width, 640);
        }
    }
    EXPECT_EQ(draw_plots({}).width, 640);
    EXPECT_EQ(draw_plots({LinePlot{}, LinePlot{}, LinePlot{}, LinePlot{}, LinePlot{}}, 0, 300, 200).width, 900);
    draw_plots({LinePlot{.title = "tiny", .x_label = "x", .y_label = "y"}}, 1, 20, 10);
}

TEST(LossCurve, IsDrawnFromAnyMetrics) {
    std::vector<LossPoint> losses;
    EXPECT_EQ(draw_loss_curve(losses).width, 800);
    for (int step = 1; step <= 50; ++step) losses.push_back({static_cast<double>(step), 1.0 / step});
    const Image clean = draw_loss_curve(losses);
    losses[25].loss = std::nan("");
    const Image gap = draw_loss_curve(losses);
    EXPECT_EQ(clean.pixels.size(), gap.pixels.size());
    EXPECT_NE(clean, gap);
}

TEST(Tiles, ArePlacedInColumnsWithTheirPicturesWhole) {
    Image red = make_image(40, 20, 3), grey = make_image(24, 32, 1, 99);
    for (int i = 0; i < 40 * 20; ++i) red.pixels[3 * i] = 200;
    const Image image = draw_tiles("Title", {{"row", {{red, {"t = 0", "variance 1.2345"}}, {grey, {}}}}, {"", {{red, {}}}}});
    int reds = 0, greys = 0;
    for (int y = 0; y < image.height; ++y) {
        for (int x = 0; x < image.width; ++x) {
            const uint8_t* p = image.at(x, y);
            reds += p[0] == 200 && p[1] == 0;
            greys += p[0] == 99 && p[1] == 99 && p[2] == 99;
        }
    }
    EXPECT_EQ(reds, 2 * 40 * 20);
    EXPECT_GE(greys, 24 * 32);  // an edge of a letter may have that grey, too
    EXPECT_LE(greys, 24 * 32 + 30);
}

TEST(Tiles, NothingTouchesTheEdge) {
    const std::string words = "a caption far wider than its tile";
    for (const std::string title : {"", "A title that is much wider than everything below it, which is small"}) {
        const Image image = draw_tiles(title, {{"label\nof two lines", {{make_image(8, 8, 1), {words, words, words}}}}});
        for (int x = 0; x < image.width; ++x)
            for (const int y : {0, 1, 2, 3, image.height - 4, image.height - 3, image.height - 2, image.height - 1})
                ASSERT_EQ(image.at(x, y)[0], 255);
        for (int y = 0; y < image.height; ++y)
            for (const int x : {0, 1, 2, 3, image.width - 4, image.width - 3, image.width - 2, image.width - 1})
                ASSERT_EQ(image.at(x, y)[0], 255);
    }
    EXPECT_GT(draw_tiles("", {}).width, 0);
}

}  // namespace
}  // namespace ddpm::report
