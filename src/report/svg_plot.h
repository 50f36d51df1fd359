#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ddpm/report/column_curve.h"

namespace ddpm::report {

// A line of a plot in the page. xs ascend; a y that is not finite leaves a gap.
struct SvgLine {
    std::string name;
    int color = 0;  // 0 … 7, a colour of the page's style
    std::vector<double> xs, ys;
    std::vector<double> lows = {}, highs = {};  // empty, or as many: a band around the line, as its least and greatest value
    bool faint = false, dashed = false;
};

// A vertical mark at a step.
struct SvgMark {
    double x = 0;
    std::string text;  // what it is, for the one who points at it
    bool serious = false;
};

struct SvgPlot {
    std::string title, unit;
    std::vector<SvgLine> lines;
    std::vector<SvgMark> marks = {};
    bool wants_log = false;  // logarithmic where the values are positive and span more than a factor of five
};

// A line through the means of a curve's columns, with their least and greatest values as its band.
SvgLine line_with_extremes(const std::string& name, int color, const ColumnCurve& curve);
// The same curve smoothed, without a band.
SvgLine smooth_line(const std::string& name, int color, const ColumnCurve& curve);

// Returns the plot as a <figure>: an SVG that fills its place at any width, with the labels of its axes as HTML around it, so that
// letters keep their size, a legend, and the values for the page's script. Returns "" if there is nothing to draw.
std::string draw_svg_plot(const SvgPlot& plot);

}  // namespace ddpm::report
