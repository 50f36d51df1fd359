#include "ddpm/report/report_page.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <map>
#include <set>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/text.h"
#include "report/html.h"
#include "report/page_look.h"
#include "report/page_plots.h"
#include "report/verdict.h"

namespace ddpm {

using report::escape_html;

const char* const kReportHead =
    "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8><meta name=generator content=\"ddpm report\">";

namespace {

// The settings of a configuration, as "section.key" and its JSON.
void flatten(const Json& json, const std::string& path, std::map<std::string, std::string>& into) {
    if (!json.is_object() || json.empty()) {
        into[path] = json.dump(-1, ' ', false, Json::error_handler_t::replace);
        return;
    }
    for (const auto& item : json.items()) flatten(item.value(), path.empty() ? item.key() : path + "." + item.key(), into);
}

std::map<std::string, std::string> settings_of(const ReportRun& run) {
    std::map<std::string, std::string> settings;
    if (run.config.is_object()) flatten(run.config, "", settings);
    return settings;
}

std::string section(const std::string& title, const std::string& body) {
    return body.empty() ? "" : fmt::format("<section><h2>{}</h2>\n{}</section>\n", title, body);
}

// Puts the run's name above its part where there are several runs.
std::string of_run(const ReportRun& run, bool several, const std::string& body) {
    return several && !body.empty() ? fmt::format("<h3>{}</h3>\n{}", escape_html(run.name), body) : body;
}

std::string utc(double unix_seconds) {
    const auto seconds = static_cast<std::time_t>(unix_seconds);
    std::tm parts{};
    if (!std::isfinite(unix_seconds) || std::abs(unix_seconds) > 1e11 || ::gmtime_r(&seconds, &parts) == nullptr) return "unknown";
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                       parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string note_of(const ReportPicture& picture) {
    if (picture.reduced_from == 0) return "";
    return fmt::format("reduced from {} to {} pixels in width", picture.reduced_from, picture.width);
}

// The slider of a run's grids. The last one is in the page as a picture, for those who print it or run no script; the script has the
// others.
std::string slider_of(const ReportRun& run) {
    const std::vector<ReportPicture>& shown = run.grids.shown;
    if (shown.empty()) return "";
    Json list = Json::array();
    for (const ReportPicture& picture : shown)
        list.push_back({{"step", picture.step},
                        {"url", &picture == &shown.back() ? "" : report::png_url(picture.png)},
                        {"note", note_of(picture)}});
    const ReportPicture& last = shown.back();
    const std::string note = note_of(last), text = "step " + with_commas(last.step) + (note.empty() ? "" : " (" + note + ")");
    return fmt::format(
        "<figure class=grids><input type=range min=0 max={0} value={0} step=1 aria-label=\"step of the samples of {1}\"{2}>"
        "<output>{3}</output><img alt=\"samples at {3}\" src=\"{4}\">\n<script type=\"application/json\">{5}</script></figure>\n",
        shown.size() - 1, escape_html(run.name), shown.size() == 1 ? " disabled" : "", text, report::png_url(last.png),
        report::json_for_script(list));
}

std::string grids_of(const ReportRun& run) {
    const ReportPictures& grids = run.grids;
    std::vector<std::string> notes;
    if (grids.left_out > 0)
        notes.push_back(fmt::format("{} left out, so that the page stays small", plural(grids.left_out, "grid")));
    if (grids.unreadable > 0) notes.push_back(fmt::format("{} can't be read", plural(grids.unreadable, "grid")));
    return slider_of(run) + (notes.empty() ? "" : fmt::format("<p class=note>{}.</p>\n", join(notes, "; ")));
}

std::string picture_of(const std::optional<ReportPicture>& picture, const std::string& alt) {
    return picture ? fmt::format("<figure><img alt=\"{}\" src=\"{}\"></figure>\n", alt, report::png_url(picture->png)) : "";
}

std::string table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows) {
    std::string html = "<div class=scroll tabindex=0 role=region aria-label=table><table><thead><tr>";
    for (const std::string& cell : head) html += fmt::format("<th scope=col>{}</th>", escape_html(cell));
    html += "</tr></thead><tbody>";
    for (const std::vector<std::string>& row : rows) {
        html += "<tr>";
        for (size_t i = 0; i < row.size(); ++i)
            html += i == 0 ? fmt::format("<th scope=row>{}</th>", escape_html(row[i]))
                           : fmt::format("<td>{}</td>", escape_html(row[i]));
        html += "</tr>\n";
    }
    return html + "</tbody></table></div>\n";
}

std::string differences(const std::vector<ReportRun>& runs) {
    std::vector<std::map<std::string, std::string>> all;
    std::set<std::string> keys;
    std::vector<std::string> head{"key"};
    for (const ReportRun& run : runs) {
        all.push_back(settings_of(run));
        for (const auto& [key, value] : all.back()) keys.insert(key);
        head.push_back(run.name);
    }
    std::vector<std::vector<std::string>> rows;
    for (const std::string& key : keys) {
        std::vector<std::string> row{key};
        for (const auto& settings : all) row.push_back(settings.contains(key) ? settings.at(key) : "–");
        if (std::adjacent_find(row.begin() + 1, row.end(), std::not_equal_to<>()) != row.end()) rows.push_back(std::move(row));
    }
    return rows.empty() ? "<p>The configurations are equal.</p>\n" : table(head, rows);
}

std::string configuration_of(const ReportRun& run) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& [key, value] : settings_of(run)) rows.push_back({key, value});
    if (rows.empty()) return "<p class=note>The run's config.json is missing or can't be read.</p>\n";
    return fmt::format("<details><summary>All {} settings of {}</summary>{}</details>\n", rows.size(), escape_html(run.name),
                       table({"key", "value"}, rows));
}

std::string environment_of(const std::vector<ReportRun>& runs, const ReportSettings& settings) {
    std::vector<std::string> head{""};
    std::vector<std::vector<std::string>> rows{{"folder"}, {"first line of metrics"}, {"last line of metrics"}, {"checkpoints"}};
    for (const ReportRun& run : runs) {
        head.push_back(run.name);
        const RunMetrics& metrics = run.metrics;
        rows[0].push_back(run.place);
        rows[1].push_back(metrics.first_time > 0 ? utc(metrics.first_time) : "–");
        rows[2].push_back(metrics.last_time > 0 ? utc(metrics.last_time) : "–");
        std::vector<std::string> steps;
        for (const int64_t step : run.checkpoints) steps.push_back(with_commas(step));
        rows[3].push_back(steps.empty() ? "none" : join(steps, "; "));
    }
    return table(head, rows) +
           fmt::format(
               "<p class=note>This page was made by {} on {}. The files of a run do not say by which version, with which LibTorch "
               "or on which machine it was trained: equal runs have equal files.</p>\n",
               escape_html(settings.program), utc(settings.now));
}

std::string verdicts(const std::vector<ReportRun>& runs, double now) {
    std::string html;
    for (const ReportRun& run : runs)
        html += fmt::format("<p>{}{}</p>\n", runs.size() > 1 ? "<strong>" + escape_html(run.name) + "</strong>: " : "",
                            escape_html(report::verdict_of(run, now)));
    return html;
}

}  // namespace

std::string render_report(const std::vector<ReportRun>& runs, const ReportSettings& settings) {
    const bool several = runs.size() > 1;
    std::vector<std::string> names;
    for (const ReportRun& run : runs) names.push_back(run.name);
    std::string html = kReportHead;
    html += fmt::format(
        "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src "
        "'unsafe-inline'\"><meta name=viewport content=\"width=device-width, initial-scale=1\"><meta name=color-scheme "
        "content=\"light dark\"><link rel=icon href=\"data:,\"><title>{0}</title><style>{1}</style></head>\n<body{2}><main>\n<h1>{0}</h1>\n",
        escape_html(join(names)), report::kPageStyle,
        settings.reload_seconds > 0 ? fmt::format(" data-reload={}", settings.reload_seconds) : "");
    html += fmt::format("<section aria-label=verdict>{}</section>\n", verdicts(runs, settings.now));
    std::string grids, neighbours, bpd, configurations;
    for (const ReportRun& run : runs) {
        grids += of_run(run, several, grids_of(run));
        neighbours += of_run(run, several, picture_of(run.neighbours, "samples and what is nearest to them in the training data"));
        bpd += of_run(run, several, picture_of(run.bpd, "terms of the bound at each t"));
        configurations += configuration_of(run);
    }
    html += section("Samples", grids);
    html += section("Training", report::training_plots(runs));
    html += section("Quality of the samples", report::quality_plots(runs));
    html += section("Nearest pictures of the training data", neighbours);
    html += section("Bits per dimension", bpd);
    html += section("Configuration", (several ? "<h3>What differs</h3>\n" + differences(runs) : "") + configurations);
    html += section("Environment", environment_of(runs, settings));
    html += fmt::format("</main><script>{}</script></body></html>\n", report::kPageScript);
    return html;
}

}  // namespace ddpm
