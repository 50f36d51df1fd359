#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ddpm/report/canvas.h"

namespace ddpm {

// One curve. xs and ys have one length; points that are not finite, or not positive on a logarithmic axis, leave a gap.
struct Series {
    std::string name;  // in the legend; empty: not there
    std::vector<double> xs = {}, ys = {};
    double opacity = 1, width = 2;
    std::optional<int> color = {};  // index into the palette; else the series' own index
};

struct LinePlot {
    std::string title = {}, x_label = {}, y_label = {};
    std::vector<Series> series = {};
    bool log_x = false, log_y = false;
    std::optional<std::pair<double, double>> y_range = {};  // else what the data spans
};

// Panels row by row; columns 0 chooses one row for up to two panels, else a near square.
Image draw_plots(const std::vector<LinePlot>& panels, int columns = 0, int panel_width = 640, int panel_height = 400);

}  // namespace ddpm
