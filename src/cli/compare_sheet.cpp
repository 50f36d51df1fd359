// The pictures of `ddpm compare`.

#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "cli/compared.h"
#include "ddpm/core/text.h"
#include "ddpm/image/grid.h"
#include "ddpm/pipeline/pictures.h"
#include "ddpm/report/canvas.h"
#include "ddpm/report/plot.h"
#include "ddpm/report/progress.h"
#include "ddpm/report/tiles.h"

namespace ddpm::cli {

namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

std::string distance_caption(const ComparedCell& cell) {
    if (!cell.measured.finite) return "nan";
    if (cell.measured.distance) return fmt::format("distance {:.3g}", cell.measured.distance->mean);
    return fmt::format("law distance {:.3g}", cell.measured.law_distance);
}

Tile tile_of(const ComparedCell& cell) {
    const Image pictures = make_readable_grid(to_images(cell.measured.shown));
    return {cell.measured.finite ? pictures : nan_picture(pictures),
            {plural(cell.settings.steps(), "step"), plural(cell.evaluations, "evaluation"), format_duration(cell.measured.seconds),
             distance_caption(cell)}};
}

// "reference", or "reference 2" where there are several.
std::string name_of_reference(const Compared& compared, size_t index) {
    return compared.references.size() == 1 ? "reference" : fmt::format("reference {}", index + 1);
}

// A row's label: its sampler, and below it what it sets and does not read, and which of several references is its own.
std::string label_of(const Compared& compared, size_t row) {
    std::string label = join(split(compared.rows[row].text, ':'), "\n");
    for (const std::string& flag : compared.rows[row].unread) label += "\nwithout " + flag;
    if (compared.references.size() > 1) label += "\nbeside " + name_of_reference(compared, compared.reference_of[row]);
    return label;
}

// The largest number that `measure` returns of a reference; NaN if there is none.
template <class Measure>
double largest(const Compared& compared, const Measure& measure) {
    double value = kNone;
    for (const ComparedReference& reference : compared.references) value = std::fmax(value, measure(reference.measured));
    return value;
}

// One curve for each row, with what `measure` returns of a cell; NaN leaves a gap. `floor` is a thin line from end to end.
template <class Measure>
LinePlot plot_of(const Compared& compared, const std::string& title, const std::string& floor_name, double floor,
                 const Measure& measure) {
    LinePlot plot;
    plot.title = title;
    plot.x_label = "evaluations of the network";
    plot.log_x = plot.log_y = true;
    Series line{.name = floor_name, .opacity = 0.6, .width = 1.2, .color = static_cast<int>(compared.rows.size())};
    for (size_t row = 0; row < compared.rows.size(); ++row) {
        std::vector<std::pair<double, double>> points;
        for (size_t column = 0; column < compared.steps.size(); ++column) {
            const ComparedCell& cell = compared.cell(row, column);
            points.emplace_back(static_cast<double>(cell.evaluations), measure(cell));
        }
        std::sort(points.begin(), points.end());
        Series series{.name = compared.rows[row].text, .color = static_cast<int>(row)};
        for (const auto& [x, y] : points) {
            series.xs.push_back(x);
            series.ys.push_back(y);
        }
        if (std::all_of(series.ys.begin(), series.ys.end(), [](double y) { return std::isnan(y); })) continue;
        for (const double x : {series.xs.front(), series.xs.back()}) line.xs.push_back(x);
        plot.series.push_back(std::move(series));
    }
    if (line.xs.empty() || !(floor > 0)) return plot;
    const auto [low, high] = std::minmax_element(line.xs.begin(), line.xs.end());
    line.xs = {*low, *high};
    line.ys = {floor, floor};
    plot.series.push_back(std::move(line));
    return plot;
}

}  // namespace

Image nan_picture(const Image& like) {
    Canvas canvas(like.width, like.height, {225, 225, 225});
    const double size = std::clamp(like.height / 3.0, 10.0, 40.0);
    canvas.text({like.width / 2.0, like.height / 2.0 + size / 3}, "nan", size, {180, 30, 30}, Align::centre);
    return canvas.image();
}

Image draw_compared_sheet(const Compared& compared) {
    std::vector<TileRow> rows;
    for (size_t row = 0; row < compared.rows.size(); ++row) {
        TileRow tiles{label_of(compared, row), {}};
        for (size_t column = 0; column < compared.steps.size(); ++column)
            tiles.tiles.push_back(tile_of(compared.cell(row, column)));
        rows.push_back(std::move(tiles));
    }
    for (size_t i = 0; i < compared.references.size(); ++i) {
        const ComparedReference& reference = compared.references[i];
        Tile tile = tile_of(reference.way);
        tile.captions.back() = fmt::format("half: {:.3g} away", reference.measured.error.mean);
        rows.push_back({name_of_reference(compared, i) + "\n" + reference.way.settings.sampler, {std::move(tile)}});
    }
    return draw_tiles(fmt::format("{}, seed {}", printable(compared.model), compared.seed), rows);
}

Image draw_compared_errors(const Compared& compared) {
    const bool several = compared.references.size() > 1;  // the lines are those of the worst
    std::vector<LinePlot> panels;
    panels.push_back(
        plot_of(compared, "distance to the reference, same noise",
                several ? "a reference in half its steps, at most" : "the reference in half its steps",
                largest(compared, [](const Reference& reference) { return reference.error.mean; }),
                [](const ComparedCell& cell) { return cell.measured.distance ? cell.measured.distance->mean : kNone; }));
    if (panels.back().series.empty()) panels.pop_back();  // every row adds noise
    panels.push_back(plot_of(compared, "distance to the reference's law",
                             several ? "between halves of one, at most" : "between its halves",
                             largest(compared, [](const Reference& reference) { return reference.law_floor; }),
                             [](const ComparedCell& cell) { return cell.measured.law_distance; }));
    if (compared.has_data())
        panels.push_back(plot_of(compared, "distance to real pictures", "between their halves",
                                 compared.references.front().measured.data_floor,
                                 [](const ComparedCell& cell) { return cell.measured.data_distance.value_or(kNone); }));
    return draw_plots(panels, static_cast<int>(panels.size()));
}

}  // namespace ddpm::cli
