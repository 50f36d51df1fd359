#include "report/verdict.h"

#include <algorithm>
#include <cmath>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/text.h"
#include "ddpm/report/progress.h"
#include "report/html.h"

namespace ddpm::report {

namespace {

constexpr double kDefaultHeartbeat = 60;  // seconds; what a configuration without the key did

double heartbeat_seconds(const ReportRun& run) {
    if (!run.config.is_object() || !run.config.contains("train") || !run.config["train"].is_object()) return kDefaultHeartbeat;
    const Json& train = run.config["train"];
    const auto found = train.find("heartbeat_seconds");
    return found != train.end() && found->is_number() ? found->get<double>() : kDefaultHeartbeat;
}

std::string state_of(const ReportRun& run, double now) {
    const RunMetrics& metrics = run.metrics;
    const int64_t steps = planned_steps(run);
    const std::string of = steps > 0 ? fmt::format(" of {}", with_commas(steps)) : "";
    const std::string at = fmt::format("step {}{}", with_commas(metrics.last_step), of);
    if (metrics.gave_up)
        return fmt::format("The run gave up at {}{}.", at,
                           metrics.gave_up->empty() ? "" : " (" + printable(*metrics.gave_up) + ")");
    if (metrics.last_step == 0) return "No step is done yet.";
    if (steps > 0 && metrics.last_step >= steps) return fmt::format("The run is finished: {}.", at);
    const double age = now - metrics.last_time;
    if (metrics.last_time == 0) return fmt::format("The run has come to {}.", at);
    const bool alive = age < 3 * std::max(heartbeat_seconds(run), kDefaultHeartbeat);
    return alive ? fmt::format("The run seems to be going on: {}, and its last line is {} old.", at,
                               format_duration(std::max(age, 0.0)))
                 : fmt::format("The run has stopped before its end: {}, and its last line is {} old.", at, format_duration(age));
}

std::string losses_of(const RunMetrics& metrics) {
    if (metrics.loss.empty()) return "";
    return fmt::format(" The training loss, smoothed, is {}.", brief_number(metrics.loss.smoothed().back()));
}

std::string held_out_of(const RunMetrics& metrics) {
    if (!metrics.last_held_out) return metrics.last_step > 0 ? " There are no held-out images to measure by." : "";
    const auto [last_step, last] = *metrics.last_held_out;
    const auto [best_step, best] = *metrics.best_held_out;
    if (last_step == best_step)
        return fmt::format(" The loss on held-out images, {} at step {}, is the lowest so far.", brief_number(last),
                           with_commas(last_step));
    const double more = best > 0 ? 100 * (last / best - 1) : 0;
    const bool rises = held_out_loss_rises(metrics.held_out_since_best, best, last);
    return fmt::format(
        " The loss on held-out images was lowest at step {} ({}) and is {} at step {}, {:.1f} % more{}.", with_commas(best_step),
        brief_number(best), brief_number(last), with_commas(last_step), more,
        rises ? fmt::format(": it rises, {} measurements since have not gone below", metrics.held_out_since_best) : std::string());
}

std::string quality_of(const RunMetrics& metrics) {
    const auto found = metrics.quality.find("mmd");
    if (found == metrics.quality.end() || found->second.empty()) return "";
    const std::vector<QualityPoint>& points = found->second;
    const auto best = std::min_element(points.begin(), points.end(),
                                       [](const QualityPoint& a, const QualityPoint& b) { return a.value < b.value; });
    return fmt::format(" By MMD the samples of step {} are the best ({}{}).", with_commas(best->step), brief_number(best->value),
                       std::isfinite(best->sd) ? " ± " + brief_number(best->sd) : "");
}

std::string checkpoints_of(const ReportRun& run) {
    const std::string judged =
        run.best_judged ? fmt::format(" The checkpoint of the best samples is that of step {}.", with_commas(*run.best_judged))
                        : "";
    if (run.best_checkpoint)
        return fmt::format(" The best checkpoint is that of step {}.{}", with_commas(*run.best_checkpoint), judged);
    if (!judged.empty()) return judged;
    if (run.checkpoints.empty()) return " There is no checkpoint.";
    return fmt::format(" The newest checkpoint is that of step {}.", with_commas(run.checkpoints.back()));
}

std::string troubles_of(const RunMetrics& metrics) {
    std::vector<std::string> troubles;
    if (metrics.spike_count > 0) troubles.push_back(plural(metrics.spike_count, "spike") + " of the loss");
    if (metrics.skipped > 0) troubles.push_back(plural(metrics.skipped, "skipped step"));
    if (metrics.rollback_count > 0) troubles.push_back(plural(metrics.rollback_count, "rollback"));
    return troubles.empty() ? " No spikes, skipped steps or rollbacks." : " There were " + join(troubles) + ".";
}

std::string damage_of_metrics(const RunMetrics& metrics) {
    std::string text;
    if (metrics.unreadable > 0)
        text += fmt::format(" {} of metrics.jsonl could not be read and {} left out.", plural(metrics.unreadable, "line"),
                            metrics.unreadable == 1 ? "is" : "are");
    if (metrics.replaced > 0)
        text += fmt::format(" {} of steps that were done again {} left out.", plural(metrics.replaced, "line"),
                            metrics.replaced == 1 ? "is" : "are");
    return text;
}

}  // namespace

int64_t planned_steps(const ReportRun& run) {
    if (!run.config.is_object() || !run.config.contains("train") || !run.config["train"].is_object()) return 0;
    const Json& train = run.config["train"];
    const auto found = train.find("steps");
    return found != train.end() && found->is_number_integer() ? std::max<int64_t>(found->get<int64_t>(), 0) : 0;
}

std::string verdict_of(const ReportRun& run, double now) {
    const RunMetrics& metrics = run.metrics;
    std::string text = state_of(run, now) + losses_of(metrics) + held_out_of(metrics) + quality_of(metrics) + checkpoints_of(run);
    if (metrics.last_step > 0) text += troubles_of(metrics);
    return text + damage_of_metrics(metrics);
}

}  // namespace ddpm::report
