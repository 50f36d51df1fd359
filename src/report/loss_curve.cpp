#include "ddpm/report/loss_curve.h"

#include <algorithm>
#include <cmath>

#include "ddpm/report/plot.h"

namespace ddpm {

namespace {

// Returns for each value the mean over about a fiftieth of all values around it. Unlike an exponential average, it does not lag
// behind a falling loss.
std::vector<double> smoothed(const std::vector<double>& values) {
    std::vector<double> sums = {0};
    for (const double value : values) sums.push_back(sums.back() + value);
    const size_t reach = std::max<size_t>(values.size() / 100, 2);
    std::vector<double> means;
    for (size_t i = 0; i < values.size(); ++i) {
        const size_t first = i - std::min(i, reach), last = std::min(i + reach + 1, values.size());
        means.push_back((sums[last] - sums[first]) / static_cast<double>(last - first));
    }
    return means;
}

}  // namespace

Image draw_loss_curve(const std::vector<LossPoint>& losses) {
    Series raw{.name = "loss", .opacity = 0.3, .width = 1, .color = 0}, smooth{.name = "smoothed", .width = 2.5, .color = 0};
    for (const LossPoint& point : losses) {
        raw.xs.push_back(point.step);
        raw.ys.push_back(point.loss);
    }
    std::vector<double> visible;
    for (size_t i = 0; i < raw.xs.size(); ++i) {
        if (!std::isfinite(raw.ys[i])) continue;
        smooth.xs.push_back(raw.xs[i]);
        visible.push_back(raw.ys[i]);
    }
    smooth.ys = smoothed(visible);
    LinePlot plot{.title = "Training loss", .x_label = "step", .y_label = "loss"};
    if (!visible.empty()) {
        // A few outliers must not flatten the rest: the axis spans the smoothed curve and all but 1 % of the losses.
        std::sort(visible.begin(), visible.end());
        const auto [least, most] = std::minmax_element(smooth.ys.begin(), smooth.ys.end());
        const double low = std::min(visible[visible.size() / 200], *least);
        const double high = std::max(visible[visible.size() - 1 - visible.size() / 200], *most);
        plot.log_y = low > 0 && high / low > 5;
        const double margin = plot.log_y ? std::pow(high / low, 0.04) : 0.04 * (high - low);
        if (high > low) plot.y_range = plot.log_y ? std::pair(low / margin, high * margin) : std::pair(low - margin, high + margin);
    }
    plot.series = {std::move(raw), std::move(smooth)};
    return draw_plots({plot}, 1, 800, 450);
}

}  // namespace ddpm
