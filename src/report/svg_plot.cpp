#include "report/svg_plot.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <spdlog/fmt/fmt.h>

#include "report/axis.h"
#include "report/html.h"

namespace ddpm::report {

namespace {

constexpr double kWidth = 800, kHeight = 240;  // of the drawing's own units; the page stretches it

// Returns the range of the lines, without the bands of faint lines beyond 1 % of the columns at either end: a few outliers must not
// flatten the rest. Whatever lies outside is drawn at the edge.
Axis value_axis(const SvgPlot& plot) {
    std::vector<double> values;
    for (const SvgLine& line : plot.lines) {
        std::vector<double> of_line;
        for (const std::vector<double>* numbers : {&line.ys, &line.lows, &line.highs})
            for (const double value : *numbers)
                if (std::isfinite(value)) of_line.push_back(value);
        std::sort(of_line.begin(), of_line.end());
        const size_t cut = line.faint ? of_line.size() / 200 : 0;
        if (of_line.empty()) continue;
        values.push_back(of_line[cut]);
        values.push_back(of_line[of_line.size() - 1 - cut]);
    }
    if (values.empty()) return {};
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    const double low = *least, high = *most;
    if (plot.wants_log && low > 0 && high / low > 5) {
        const double margin = std::pow(high / low, 0.04);
        return {low / margin, high * margin, true};
    }
    const double margin = high > low ? 0.04 * (high - low) : high != 0 ? std::abs(high) / 2 : 1;
    return {low - margin, high + margin, false};
}

Axis step_axis(const SvgPlot& plot) {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (const SvgLine& line : plot.lines)
        if (!line.xs.empty()) {
            low = std::min(low, line.xs.front());
            high = std::max(high, line.xs.back());
        }
    return high > low ? Axis{low, high, false} : Axis{low - 1, low + 1, false};
}

class Drawing {
public:
    explicit Drawing(const SvgPlot& plot) : plot_(plot), x_(step_axis(plot)), y_(value_axis(plot)) {}

    std::string svg() const {
        std::string paths;
        for (const Tick& tick : make_ticks(y_, 4))
            if (!tick.label.empty()) paths += fmt::format("<path class=g d=\"M0 {0:.1f}H{1}\"/>", y(tick.value), kWidth);
        for (const SvgMark& mark : plot_.marks)
            if (x_.shows(mark.x))
                paths += fmt::format("<path class=\"m{}\" d=\"M{:.1f} 0V{}\"><title>{}</title></path>", mark.serious ? " r" : "",
                                     x(mark.x), kHeight, escape_html(mark.text));
        for (const SvgLine& line : plot_.lines) {
            if (const std::string band = band_of(line); !band.empty())
                paths += fmt::format("<path class=\"b c{}\" d=\"{}\"/>", line.color, band);
            paths += fmt::format("<path class=\"l c{}{}{}\" d=\"{}\"/>", line.color, line.faint ? " f" : "",
                                 line.dashed ? " d" : "", line_of(line));
        }
        return fmt::format("<svg viewBox=\"0 0 {} {}\" preserveAspectRatio=none aria-hidden=true>{}<path class=k d=\"\"/></svg>",
                           kWidth, kHeight, paths);
    }

    std::string labels() const {
        std::string html;
        for (const Tick& tick : make_ticks(y_, 4))
            if (!tick.label.empty() && y_.shows(tick.value))
                html += fmt::format("<span class=y style=\"top:{}\">{}</span>", css_percent(1 - y_.position(tick.value)),
                                    escape_html(tick.label));
        double free_from = -1;
        for (const Tick& tick : make_ticks(x_, 4)) {
            const double at = x_.position(tick.value);
            if (tick.label.empty() || at < free_from || at > 0.97) continue;
            html += fmt::format("<span class=x style=\"left:{}\">{}</span>", css_percent(at), escape_html(tick.label));
            free_from = at + 0.2;
        }
        return html;
    }

    Json values() const {
        Json lines = Json::array();
        for (const SvgLine& line : plot_.lines) {
            Json xs = Json::array(), ys = Json::array();
            for (size_t i = 0; i < line.xs.size(); ++i) {
                if (!std::isfinite(line.ys[i])) continue;
                xs.push_back(line.xs[i] == std::floor(line.xs[i]) ? Json(static_cast<int64_t>(line.xs[i])) : Json(line.xs[i]));
                ys.push_back(Json::parse(brief_number(line.ys[i])));
            }
            lines.push_back({{"name", line.name}, {"x", xs}, {"y", ys}});
        }
        Json marks = Json::array();
        for (const SvgMark& mark : plot_.marks) marks.push_back({{"x", mark.x}, {"text", mark.text}});
        return {{"low", x_.low}, {"high", x_.high}, {"lines", lines}, {"marks", marks}};
    }

private:
    double x(double step) const { return x_.position(step) * kWidth; }
    // Values beyond the axis lie at its edge.
    double y(double value) const {
        const double at = y_.position(value);
        return (1 - (std::isfinite(at) ? std::clamp(at, 0.0, 1.0) : 0.0)) * kHeight;
    }

    std::string line_of(const SvgLine& line) const {
        std::string path;
        bool drawing = false;
        for (size_t i = 0; i < line.xs.size(); ++i) {
            const bool finite = std::isfinite(line.ys[i]);
            if (finite) path += fmt::format("{}{:.1f} {:.1f}", drawing ? 'L' : 'M', x(line.xs[i]), y(line.ys[i]));
            if (finite && !drawing) path += "h.01";  // so that a point alone is seen
            drawing = finite;
        }
        return path;
    }

    std::string band_of(const SvgLine& line) const {
        std::string there;
        std::vector<std::string> back;
        for (size_t i = 0; i < line.lows.size(); ++i) {
            if (!std::isfinite(line.lows[i]) || !std::isfinite(line.highs[i])) continue;
            there += fmt::format("{}{:.1f} {:.1f}", there.empty() ? 'M' : 'L', x(line.xs[i]), y(line.highs[i]));
            back.push_back(fmt::format("L{:.1f} {:.1f}", x(line.xs[i]), y(line.lows[i])));
        }
        for (auto point = back.rbegin(); point != back.rend(); ++point) there += *point;
        return there.empty() ? there : there + 'Z';
    }

    const SvgPlot& plot_;
    Axis x_, y_;
};

std::string legend_of(const SvgPlot& plot) {
    std::string html;
    for (const SvgLine& line : plot.lines)
        html += fmt::format("<span class=\"c{}{}\">{}</span>", line.color, line.dashed ? " d" : "", escape_html(line.name));
    return html;
}

}  // namespace

SvgLine line_with_extremes(const std::string& name, int color, const ColumnCurve& curve) {
    SvgLine line{name, color, {}, {}};
    for (const ColumnCurve::Column& column : curve.columns()) {
        line.xs.push_back(column.step());
        line.ys.push_back(column.mean());
        if (curve.width() == 1) continue;  // each is one value
        line.lows.push_back(column.least);
        line.highs.push_back(column.greatest);
    }
    return line;
}

SvgLine smooth_line(const std::string& name, int color, const ColumnCurve& curve) {
    SvgLine line{name, color, {}, curve.smoothed()};
    for (const ColumnCurve::Column& column : curve.columns()) line.xs.push_back(column.step());
    return line;
}

std::string draw_svg_plot(const SvgPlot& whole) {
    SvgPlot plot = whole;
    std::erase_if(plot.lines, [](const SvgLine& line) {
        return std::none_of(line.ys.begin(), line.ys.end(), [](double value) { return std::isfinite(value); });
    });
    if (plot.lines.empty()) return "";
    const Drawing drawing(plot);
    return fmt::format(
        "<figure class=plot tabindex=0 aria-label=\"{0}; the arrow keys read values\"><figcaption>{0}{1}</figcaption>"
        "<div class=legend>{2}</div><div class=area>{3}{4}</div><output>&nbsp;</output>"
        "<script type=\"application/json\">{5}</script></figure>\n",
        escape_html(plot.title), plot.unit.empty() ? "" : " <small>" + escape_html(plot.unit) + "</small>", legend_of(plot),
        drawing.svg(), drawing.labels(), json_for_script(drawing.values()));
}

}  // namespace ddpm::report
