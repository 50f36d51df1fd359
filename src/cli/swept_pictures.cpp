// What was swept, in pictures.

#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "cli/compared.h"
#include "cli/swept.h"
#include "ddpm/core/text.h"
#include "ddpm/image/grid.h"
#include "ddpm/pipeline/pictures.h"
#include "ddpm/report/plot.h"
#include "ddpm/report/tiles.h"

namespace ddpm::cli {

namespace {

constexpr int kFrontColor = 6;  // black, in the palette

// "width 0.05, ddim", without what there is one of.
std::string curve_name(const Swept& swept, size_t model, size_t row) {
    std::vector<std::string> words;
    if (swept.models.size() > 1) words.push_back(swept.models[model].name());
    if (swept.rows.size() > 1 || words.empty()) words.push_back(swept.rows[row].text);
    return join(words);
}

int color_of_curve(const Swept& swept, size_t model, size_t row) {
    return static_cast<int>((model * swept.rows.size() + row) % kFrontColor);
}

// The curve of one row of one model over the evaluations.
Series curve_of(const Swept& swept, size_t model, size_t row) {
    std::vector<std::pair<double, double>> points;
    for (const SweptCell& cell : swept.cells)
        if (cell.model == model && cell.row == row && cell.finite)
            points.emplace_back(static_cast<double>(cell.evaluations), cell.numbers.front().value);
    std::sort(points.begin(), points.end());
    Series curve{.name = curve_name(swept, model, row), .opacity = 0.5, .color = color_of_curve(swept, model, row)};
    for (const auto& [x, y] : points) {
        curve.xs.push_back(x);
        curve.ys.push_back(y);
    }
    return curve;
}

// The interval of a cell, as an upright line.
Series bar_of(const Swept& swept, const SweptCell& cell) {
    const QualityNumber& number = cell.numbers.front();
    const double x = static_cast<double>(cell.evaluations);
    return {.name = "",
            .xs = {x, x},
            .ys = {number.value - 2 * number.sd, number.value + 2 * number.sd},
            .width = 3,
            .color = color_of_curve(swept, cell.model, cell.row)};
}

void add_floor_line(LinePlot& plot, const QualityNumber& number, double low, double high, int color) {
    if (!number.floor) return;
    plot.series.push_back(
        {.name = "floor", .xs = {low, high}, .ys = {*number.floor, *number.floor}, .opacity = 0.6, .width = 1.2, .color = color});
}

// Takes a logarithmic axis if all numbers can be shown on it.
void choose_y_axis(LinePlot& plot) {
    plot.log_y = true;
    for (const Series& series : plot.series)
        for (const double y : series.ys) plot.log_y = plot.log_y && !(y <= 0);
}

Tile tile_of_cell(const Swept& swept, const SweptCell& cell) {
    const Image pictures = make_readable_grid(to_images(cell.shown));
    Tile tile{cell.finite ? pictures : nan_picture(pictures),
              {plural(cell.settings.steps(), "step"), plural(cell.evaluations, "evaluation")}};
    if (!cell.finite) {
        tile.captions.emplace_back("nan");
        return tile;
    }
    tile.captions.push_back(fmt::format("{:.3g} s a picture", cell.seconds / static_cast<double>(swept.n)));
    tile.captions.push_back(fmt::format("{} {:.3g}", swept.decides, cell.numbers.front().value));
    return tile;
}

// The values of number `index` of all models, moved by `deviations`.
Series over_steps(const Swept& swept, size_t index, double deviations) {
    Series series{.name = "", .color = 0};
    for (const SweptCell& cell : swept.cells) {
        series.xs.push_back(static_cast<double>(swept.models[cell.model].step.value_or(0)));
        series.ys.push_back(cell.finite ? cell.numbers[index].value + deviations * cell.numbers[index].sd
                                        : std::numeric_limits<double>::quiet_NaN());
    }
    return series;
}

}  // namespace

Image draw_pareto(const Swept& swept) {
    LinePlot plot;
    plot.title = fmt::format("{} to real pictures, with two deviations", swept.decides);
    plot.x_label = "evaluations of the network";
    plot.log_x = true;
    for (size_t model = 0; model < swept.models.size(); ++model)
        for (size_t row = 0; row < swept.rows.size(); ++row)
            if (Series curve = curve_of(swept, model, row); !curve.xs.empty()) plot.series.push_back(std::move(curve));
    double low = std::numeric_limits<double>::infinity(), high = 0;
    for (const SweptCell& cell : swept.cells) {
        if (!cell.finite) continue;
        plot.series.push_back(bar_of(swept, cell));
        low = std::min(low, static_cast<double>(cell.evaluations));
        high = std::max(high, static_cast<double>(cell.evaluations));
    }
    Series front{.name = "Pareto front", .width = 3, .color = kFrontColor};
    for (const size_t i : pareto_front(swept.contenders())) {
        front.xs.push_back(static_cast<double>(swept.cells[i].evaluations));
        front.ys.push_back(swept.cells[i].numbers.front().value);
    }
    if (!front.xs.empty()) plot.series.push_back(std::move(front));
    if (const SweptCell* const judged = swept.any_judged()) add_floor_line(plot, judged->numbers.front(), low, high, kFrontColor);
    choose_y_axis(plot);
    return draw_plots({plot}, 1, 860, 560);
}

Image draw_swept_samples(const Swept& swept) {
    std::vector<TileRow> rows;
    for (const SweptCell& cell : swept.cells) {
        const std::string label = join(split(curve_name(swept, cell.model, cell.row), ':'), "\n");
        if (rows.empty() || rows.back().label != label) rows.push_back({label, {}});
        rows.back().tiles.push_back(tile_of_cell(swept, cell));
    }
    return draw_tiles(fmt::format("{}, seed {}", printable(swept.ckpt), swept.seed), rows);
}

Image draw_over_steps(const Swept& swept) {
    std::vector<LinePlot> panels;
    const SweptCell* const judged = swept.any_judged();
    for (size_t i = 0; judged != nullptr && i < judged->numbers.size(); ++i) {
        const QualityNumber& number = judged->numbers[i];
        LinePlot plot;
        plot.title = number.name + ", with two deviations";
        plot.x_label = "step of the training";
        plot.series.push_back(over_steps(swept, i, 0));
        for (const double deviations : {-2.0, 2.0}) {
            plot.series.push_back(over_steps(swept, i, deviations));
            plot.series.back().opacity = 0.4;
            plot.series.back().width = 1.2;
        }
        const std::vector<double>& steps = plot.series.front().xs;
        const double first = steps.front(), last = steps.back();
        add_floor_line(plot, number, first, last, kFrontColor);
        choose_y_axis(plot);
        panels.push_back(std::move(plot));
    }
    if (panels.empty()) panels.push_back({.title = "no pictures are finite"});
    return draw_plots(panels);
}

}  // namespace ddpm::cli
