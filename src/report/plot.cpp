#include "ddpm/report/plot.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "axis.h"

namespace ddpm {

namespace {

// The colours of Okabe and Ito, which colour-blind people can tell apart, without the yellow, which is too pale on white.
constexpr Color kPalette[] = {{0, 114, 178}, {213, 94, 0},   {0, 158, 115}, {204, 121, 167},
                              {230, 159, 0}, {86, 180, 233}, {0, 0, 0}};
constexpr Color kInk = {38, 38, 38}, kFrame = {120, 120, 120}, kGrid = {222, 222, 222}, kFaintGrid = {240, 240, 240};
constexpr double kTitleSize = 19, kTextSize = 16;
constexpr double kCapitals = 0.63;  // of the size, see text_width
constexpr int kMargin = 14, kTickGap = 6, kLegendRow = 20, kLegendLine = 24;

Color color_of(const LinePlot& plot, size_t index) {
    return kPalette[static_cast<size_t>(plot.series[index].color.value_or(static_cast<int>(index))) % std::size(kPalette)];
}

// Returns an axis over what the numbers span, wider by `padding` of it at either end, and never empty.
report::Axis axis_spanning(const std::vector<Series>& all, std::vector<double> Series::*numbers, bool logarithmic, double padding) {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (const Series& series : all) {
        for (size_t i = 0; i < std::min(series.xs.size(), series.ys.size()); ++i) {
            const double value = (series.*numbers)[i];
            if (!std::isfinite(series.xs[i]) || !std::isfinite(series.ys[i]) || (logarithmic && value <= 0)) continue;
            low = std::min(low, value);
            high = std::max(high, value);
        }
    }
    if (low > high) return {logarithmic ? 0.1 : 0, 1, logarithmic};
    if (logarithmic) {
        if (high / low < 1 + 1e-9) return {low / 2, high * 2, true};
        const double more = std::pow(high / low, padding);
        return {low / more, high * more, true};
    }
    if (high - low <= 1e-12 * std::max(std::abs(low), std::abs(high))) {
        const double around = low == 0 ? 1 : std::abs(low) / 2;
        return {low - around, high + around, false};
    }
    const double more = (high - low) * padding;
    return {low - more, high + more, false};
}

struct LegendEntry {
    size_t series;
    double x;  // from the left of the plot
    int row;
};

// Places the names side by side above the plot, where they cover no curve, in as many rows as they need.
std::vector<LegendEntry> place_legend(const LinePlot& plot, double width) {
    std::vector<LegendEntry> entries;
    double x = 0;
    int row = 0;
    for (size_t i = 0; i < plot.series.size(); ++i) {
        if (plot.series[i].name.empty()) continue;
        const double needed = kLegendLine + 6 + text_width(plot.series[i].name, kTextSize) + 18;
        if (x > 0 && x + needed > width) {
            x = 0;
            ++row;
        }
        entries.push_back({i, x, row});
        x += needed;
    }
    return entries;
}

class Panel {
public:
    Panel(Canvas& canvas, const LinePlot& plot, const Box& box)
        : canvas_(canvas),
          plot_(plot),
          box_(box),
          x_(axis_spanning(plot.series, &Series::xs, plot.log_x, 0)),
          y_(plot.y_range ? report::Axis{plot.y_range->first, plot.y_range->second, plot.log_y}
                          : axis_spanning(plot.series, &Series::ys, plot.log_y, 0.04)) {}

    void draw() {
        lay_out();
        draw_ticks();
        draw_curves();
        draw_words();
    }

private:
    void lay_out() {
        int top = box_.top + kMargin;
        if (!plot_.title.empty()) top += 26;
        const int bottom = box_.bottom() - kMargin - static_cast<int>(kTextSize) - kTickGap - (plot_.x_label.empty() ? 0 : 20);
        y_ticks_ = report::make_ticks(y_, std::max((bottom - top) / 50, 2));
        double widest = 0;
        for (const report::Tick& tick : y_ticks_) widest = std::max(widest, text_width(tick.label, kTextSize));
        const int left = box_.left + kMargin + (plot_.y_label.empty() ? 0 : 24) + static_cast<int>(std::ceil(widest)) + kTickGap;
        const int right = box_.right() - kMargin - 16;
        legend_ = place_legend(plot_, right - left);
        if (!legend_.empty()) top += (legend_.back().row + 1) * kLegendRow + 6;
        area_ = {left, top, std::max(right - left, 1), std::max(bottom - top, 1)};
        x_ticks_ = report::make_ticks(x_, std::max(area_.width / 90, 2));
    }

    double pixel_x(double value) const { return area_.left + x_.position(value) * area_.width; }
    double pixel_y(double value) const { return area_.bottom() - y_.position(value) * area_.height; }

    void draw_ticks() {
        const auto vertical = [&](double value) {
            return Box{static_cast<int>(std::lround(pixel_x(value))), area_.top, 1, area_.height};
        };
        const auto horizontal = [&](double value) {
            return Box{area_.left, static_cast<int>(std::lround(pixel_y(value))), area_.width, 1};
        };
        for (const bool labelled : {false, true}) {
            for (const report::Tick& tick : x_ticks_)
                if (tick.label.empty() != labelled) canvas_.fill(vertical(tick.value), labelled ? kGrid : kFaintGrid);
            for (const report::Tick& tick : y_ticks_)
                if (tick.label.empty() != labelled) canvas_.fill(horizontal(tick.value), labelled ? kGrid : kFaintGrid);
        }
        canvas_.fill({area_.left, area_.bottom(), area_.width + 1, 1}, kFrame);
        canvas_.fill({area_.left, area_.top, 1, area_.height}, kFrame);
        const double capitals = kCapitals * kTextSize;
        double free_from = box_.left;  // labels that would touch the one before are left out
        for (const report::Tick& tick : x_ticks_) {
            const double width = text_width(tick.label, kTextSize), x = pixel_x(tick.value);
            if (tick.label.empty() || x - width / 2 < free_from || x + width / 2 > box_.right()) continue;
            canvas_.text({x, area_.bottom() + kTickGap + capitals + 2}, tick.label, kTextSize, kInk, Align::centre);
            free_from = x + width / 2 + 10;
        }
        for (const report::Tick& tick : y_ticks_)
            canvas_.text({area_.left - kTickGap * 1.0, pixel_y(tick.value) + capitals / 2}, tick.label, kTextSize, kInk,
                         Align::right);
    }

    void draw_curves() {
        canvas_.clip({area_.left, area_.top - 1, area_.width + 2, area_.height + 2});
        bool nothing = true;
        for (size_t i = 0; i < plot_.series.size(); ++i) {
            const Series& series = plot_.series[i];
            std::vector<CanvasPoint> run;
            const auto finish_run = [&] {
                if (!run.empty()) canvas_.line(run, series.width, color_of(plot_, i), series.opacity);
                nothing = nothing && run.empty();
                run.clear();
            };
            for (size_t k = 0; k < std::min(series.xs.size(), series.ys.size()); ++k) {
                const CanvasPoint point{pixel_x(series.xs[k]), pixel_y(series.ys[k])};
                // Far outside the plot the exact place does not matter, but it might not fit into an int.
                constexpr double kFar = 1e5;
                if (std::isfinite(point.x) && std::isfinite(point.y))
                    run.push_back({std::clamp(point.x, -kFar, kFar), std::clamp(point.y, -kFar, kFar)});
                else
                    finish_run();
            }
            finish_run();
        }
        canvas_.unclip();
        if (nothing)
            canvas_.text({area_.left + area_.width / 2.0, area_.top + area_.height / 2.0}, "no data", kTextSize, kFrame,
                         Align::centre);
    }

    void draw_words() {
        const double middle = area_.left + area_.width / 2.0;
        canvas_.text({middle, box_.top + kMargin + kCapitals * kTitleSize + 2}, plot_.title, kTitleSize, kInk, Align::centre);
        canvas_.text({middle, box_.bottom() - kMargin + 2.0}, plot_.x_label, kTextSize, kInk, Align::centre);
        canvas_.text({box_.left + kMargin + kCapitals * kTextSize + 2, area_.top + area_.height / 2.0}, plot_.y_label, kTextSize,
                     kInk, Align::centre, true);
        for (const LegendEntry& entry : legend_) {
            const double x = area_.left + entry.x;
            const double base = area_.top - 6 - (legend_.back().row - entry.row) * kLegendRow - 4;
            const Series& series = plot_.series[entry.series];
            canvas_.line({{x + 1, base - 5}, {x + kLegendLine - 1, base - 5}}, std::max(series.width, 2.0),
                         color_of(plot_, entry.series), series.opacity);
            canvas_.text({x + kLegendLine + 6, base}, series.name, kTextSize, kInk);
        }
    }

    Canvas& canvas_;
    const LinePlot& plot_;
    Box box_;
    report::Axis x_, y_;
    Box area_;  // between the axes
    std::vector<report::Tick> x_ticks_, y_ticks_;
    std::vector<LegendEntry> legend_;
};

}  // namespace

Image draw_plots(const std::vector<LinePlot>& panels, int columns, int panel_width, int panel_height) {
    const int count = static_cast<int>(panels.size());
    if (columns <= 0) columns = count <= 2 ? std::max(count, 1) : static_cast<int>(std::ceil(std::sqrt(count)));
    const int rows = std::max((count + columns - 1) / columns, 1);
    Canvas canvas(columns * panel_width, rows * panel_height);
    for (int i = 0; i < count; ++i)
        Panel(canvas, panels[i], {i % columns * panel_width, i / columns * panel_height, panel_width, panel_height}).draw();
    return canvas.image();
}

}  // namespace ddpm
