#include "ddpm/report/metrics.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include <spdlog/spdlog.h>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"

namespace ddpm {

namespace {

constexpr uint64_t kMaxBytes = uint64_t{1} << 32;

// Calls `visit(line, number)` for every line that ends in a line break, which `line` includes. Numbers begin at 1.
void for_each_line(std::string_view text, const std::function<void(std::string_view, int64_t)>& visit) {
    for (int64_t number = 1; !text.empty(); ++number) {
        const size_t end = text.find('\n');
        if (end == text.npos) return;  // torn
        visit(text.substr(0, end + 1), number);
        text.remove_prefix(end + 1);
    }
}

Json parse_line(const fs::path& path, std::string_view line, int64_t number) {
    const std::string source = fmt::format("{}, line {}", path.string(), number);
    Json json = parse_json(line, source);
    if (!json.is_object()) user_error(source + ": expected a JSON object");
    return json;
}

// Returns nothing if this is no line of metrics.
std::optional<int64_t> step_of_line(const fs::path& path, std::string_view line, int64_t number) {
    try {
        const Json json = parse_line(path, line, number);
        const auto step = json.find("step");
        if (step != json.end() && step->is_number_integer()) return step->get<int64_t>();
    } catch (const Error&) {
    }
    return std::nullopt;
}

}  // namespace

MetricsWriter::MetricsWriter(const fs::path& path, std::optional<int64_t> resume_step) {
    std::string kept;
    int64_t last = 0;
    const bool exists = is_present(path);
    if (resume_step && exists) {
        int64_t unreadable = 0;
        const std::string text = read_file(path, kMaxBytes);
        for_each_line(text, [&](std::string_view line, int64_t number) {
            const std::optional<int64_t> step = step_of_line(path, line, number);
            if (!step)
                ++unreadable;
            else if (*step <= *resume_step) {
                kept += line;
                last = *step;
            }
        });
        if (unreadable > 0)
            spdlog::warn("{}: {} line{} that {} no metrics, most likely torn by a crash; left out", path.string(), unreadable,
                         unreadable == 1 ? "" : "s", unreadable == 1 ? "is" : "are");
    }
    if (resume_step && last < *resume_step)
        spdlog::warn("{}: {}, and the run goes on from step {}; the lines between are lost", path.string(),
                     exists ? fmt::format("ends at step {}", last) : "is missing", *resume_step);
    write_file(path, kept);
    file_.emplace(path, "lines");
}

void MetricsWriter::append(const Json& line) { file_->append(line.dump() + '\n'); }

void MetricsWriter::sync() { file_->sync(); }

double to_decimals(double value, int decimals) {
    const double scale = std::pow(10.0, decimals);  // exact, unlike its reciprocal
    return std::round(value * scale) / scale;
}

std::vector<Json> read_metrics(const fs::path& path) {
    std::vector<Json> lines;
    const std::string text = read_file(path, kMaxBytes);
    for_each_line(text, [&](std::string_view line, int64_t number) { lines.push_back(parse_line(path, line, number)); });
    return lines;
}

std::vector<Json> read_metrics(const fs::path& path, const std::vector<std::string>& keys) {
    std::vector<Json> lines;
    if (!is_present(path)) return lines;
    const std::string text = read_file(path, kMaxBytes);
    for_each_line(text, [&](std::string_view line, int64_t number) {
        const auto has = [&](const std::string& key) { return line.find("\"" + key + "\"") != line.npos; };
        if (std::none_of(keys.begin(), keys.end(), has)) return;
        try {
            lines.push_back(parse_line(path, line, number));
        } catch (const Error&) {
        }
    });
    return lines;
}

std::vector<LossPoint> read_losses(const fs::path& path) {
    std::vector<LossPoint> points;
    const std::string text = read_file(path, kMaxBytes);
    for_each_line(text, [&](std::string_view line, int64_t number) {
        const Json json = parse_line(path, line, number);
        const auto step = json.find("step"), loss = json.find("loss");
        if (step == json.end() || loss == json.end() || !step->is_number()) return;
        points.push_back({step->get<double>(), loss->is_number() ? loss->get<double>() : std::nan("")});
    });
    return points;
}

}  // namespace ddpm
