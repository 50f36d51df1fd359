#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ddpm/report/canvas.h"

namespace ddpm {

// One curve. xs and ys have the same length. Points that are not finite, or not positive on a logarithmic axis, leave a gap.
struct Series {
    std::string name;  // in the legend, which leaves out a series without a name
    std::vector<double> xs = {}, ys = {};
    double opacity = 1, width = 2;
    std::optional<int> color = {};  // index into the palette of seven colours; unset: the series' own index
};

struct LinePlot {
    std::string title = {}, x_label = {}, y_label = {};
    std::vector<Series> series = {};
    bool log_x = false, log_y = false;
    std::optional<std::pair<double, double>> y_range = {};  // unset: a little more than the data spans
};

// Draws the panels row by row, each of the given size in pixels. columns = 0 gives one row for up to two panels, and for more
// a nearly square arrangement.
Image draw_plots(const std::vector<LinePlot>& panels, int columns = 0, int panel_width = 640, int panel_height = 400);

}  // namespace ddpm
