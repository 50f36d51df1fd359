#include "report/page_plots.h"

#include <cmath>
#include <set>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/text.h"
#include "report/html.h"
#include "report/svg_plot.h"

namespace ddpm::report {

namespace {

std::string named(const std::vector<ReportRun>& runs, const ReportRun& run, const std::string& what) {
    return runs.size() == 1 ? what : run.name + ", " + what;
}

std::vector<SvgMark> marks_of(const std::vector<ReportRun>& runs) {
    std::vector<SvgMark> marks;
    for (const ReportRun& run : runs) {
        const RunMetrics& metrics = run.metrics;
        const std::string of = runs.size() == 1 ? "" : " of " + run.name;
        for (const RunMetrics::Spike& spike : metrics.spikes)
            marks.push_back(
                {static_cast<double>(spike.step), fmt::format("spike{} at step {}: loss {}, z {}", of, with_commas(spike.step),
                                                              brief_number(spike.loss), brief_number(spike.score))});
        for (const RunMetrics::Rollback& rollback : metrics.rollbacks)
            marks.push_back({static_cast<double>(rollback.to),
                             fmt::format("rollback{} from step {} to {}, learning rate × {}", of, with_commas(rollback.from),
                                         with_commas(rollback.to), brief_number(rollback.learning_rate_factor)),
                             true});
        if (metrics.gave_up) marks.push_back({static_cast<double>(metrics.last_step), "the run" + of + " gave up", true});
    }
    return marks;
}

std::string marks_left_out(const std::vector<ReportRun>& runs) {
    int64_t left_out = 0;
    for (const ReportRun& run : runs) {
        left_out += run.metrics.spike_count - static_cast<int64_t>(run.metrics.spikes.size());
        left_out += run.metrics.rollback_count - static_cast<int64_t>(run.metrics.rollbacks.size());
    }
    return left_out == 0 ? "" : fmt::format("<p class=note>{} of later steps not drawn.</p>\n", plural(left_out, "mark"));
}

int color_of(size_t index) { return static_cast<int>(index % 8); }

// One curve of each run.
SvgPlot plot_of(const std::vector<ReportRun>& runs, const std::string& title, ColumnCurve RunMetrics::*curve) {
    SvgPlot plot{title, "", {}};
    for (size_t i = 0; i < runs.size(); ++i)
        plot.lines.push_back(line_with_extremes(runs.size() == 1 ? title : runs[i].name, color_of(i), runs[i].metrics.*curve));
    return plot;
}

std::string loss_plot(const std::vector<ReportRun>& runs) {
    SvgPlot plot{"Loss", "as measured, and smoothed", {}, marks_of(runs), true};
    for (size_t i = 0; i < runs.size(); ++i) {
        SvgLine raw = line_with_extremes(named(runs, runs[i], "measured"), color_of(i), runs[i].metrics.loss);
        raw.faint = true;
        plot.lines.push_back(std::move(raw));
        plot.lines.push_back(smooth_line(named(runs, runs[i], "smoothed"), color_of(i), runs[i].metrics.loss));
    }
    return draw_svg_plot(plot);
}

std::string held_out_plot(const std::vector<ReportRun>& runs) {
    SvgPlot plot{"Loss on held-out images", "", {}, {}, true};
    for (size_t i = 0; i < runs.size(); ++i) {
        plot.lines.push_back(line_with_extremes(named(runs, runs[i], "EMA weights"), color_of(i), runs[i].metrics.held_out_ema));
        SvgLine raw = line_with_extremes(named(runs, runs[i], "raw weights"), color_of(i), runs[i].metrics.held_out_raw);
        raw.dashed = true;
        plot.lines.push_back(std::move(raw));
    }
    return draw_svg_plot(plot);
}

std::string held_out_by_t_plot(const std::vector<ReportRun>& runs, const ReportRun& run) {
    SvgPlot plot{named(runs, run, "loss on held-out images by t"), "EMA weights", {}, {}, true};
    const size_t bins = run.metrics.held_out_by_t.size();
    for (size_t i = 0; i < bins; ++i)
        plot.lines.push_back(
            line_with_extremes(fmt::format("t in part {} of {}", i + 1, bins), color_of(i), run.metrics.held_out_by_t[i]));
    return draw_svg_plot(plot);
}

}  // namespace

std::string training_plots(const std::vector<ReportRun>& runs) {
    std::string html = loss_plot(runs) + held_out_plot(runs);
    for (const ReportRun& run : runs) html += held_out_by_t_plot(runs, run);
    html += draw_svg_plot(plot_of(runs, "Learning rate", &RunMetrics::learning_rate));
    SvgPlot norm = plot_of(runs, "Norm of the gradient", &RunMetrics::grad_norm);
    norm.unit = "before clipping";
    norm.wants_log = true;
    html += draw_svg_plot(norm);
    html += draw_svg_plot(plot_of(runs, "Images per second", &RunMetrics::images_per_second));
    return html.empty() ? "" : "<div class=plots>" + html + "</div>\n" + marks_left_out(runs);
}

std::string quality_plots(const std::vector<ReportRun>& runs) {
    std::set<std::string> measures;
    for (const ReportRun& run : runs)
        for (const auto& [measure, points] : run.metrics.quality) measures.insert(measure);
    std::string html;
    for (const std::string& measure : measures) {
        SvgPlot plot{measure, "± one standard deviation; dashed: the floor, of as many real pictures", {}};
        for (size_t i = 0; i < runs.size(); ++i) {
            const auto found = runs[i].metrics.quality.find(measure);
            if (found == runs[i].metrics.quality.end()) continue;
            SvgLine line{named(runs, runs[i], "value"), color_of(i), {}, {}},
                floor{named(runs, runs[i], "floor"), color_of(i), {}, {}};
            floor.dashed = true;
            for (const QualityPoint& point : found->second) {
                line.xs.push_back(static_cast<double>(point.step));
                line.ys.push_back(point.value);
                line.lows.push_back(point.value - point.sd);
                line.highs.push_back(point.value + point.sd);
                floor.xs.push_back(static_cast<double>(point.step));
                floor.ys.push_back(point.floor);
            }
            plot.lines.push_back(std::move(line));
            plot.lines.push_back(std::move(floor));
        }
        html += draw_svg_plot(plot);
    }
    return html.empty() ? "" : "<div class=plots>" + html + "</div>\n";
}

}  // namespace ddpm::report
