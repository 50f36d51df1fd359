#include "ddpm/report/metrics.h"

#include <functional>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"

namespace ddpm {

namespace {

constexpr uint64_t kMaxBytes = uint64_t{1} << 32;

// Calls `visit(line, json)` for every line that a writer finished.
void for_each_line(const fs::path& path, std::string_view text,
                   const std::function<void(std::string_view, Json)>& visit) {
    for (int64_t number = 1; !text.empty(); ++number) {
        const size_t end = text.find('\n');
        if (end == text.npos) return;  // torn
        const std::string_view line = text.substr(0, end + 1);
        const std::string source = fmt::format("{}, line {}", path.string(), number);
        Json json = parse_json(line, source);
        if (!json.is_object()) user_error(source + ": expected a JSON object");
        visit(line, std::move(json));
        text.remove_prefix(end + 1);
    }
}

}  // namespace

MetricsWriter::MetricsWriter(fs::path path, std::optional<int64_t> resume_step) : path_(std::move(path)) {
    std::string kept;
    if (resume_step && fs::exists(path_)) {
        for_each_line(path_, read_file(path_, kMaxBytes), [&](std::string_view line, const Json& json) {
            const auto step = json.find("step");
            if (step == json.end() || !step->is_number_integer())
                user_error(fmt::format("{}: a line without its integer \"step\": {}", path_.string(), brief(json)));
            if (step->get<int64_t>() <= *resume_step) kept += line;
        });
    }
    write_file(path_, kept);
    file_.open(path_, std::ios::app);
    if (!file_) runtime_failure(path_.string() + ": can't open for writing");
}

void MetricsWriter::append(const Json& line) {
    file_ << line.dump() + '\n' << std::flush;
    if (!file_) runtime_failure(path_.string() + ": can't write", "is the disk full?");
}

std::vector<Json> read_metrics(const fs::path& path) {
    std::vector<Json> lines;
    for_each_line(path, read_file(path, kMaxBytes), [&](std::string_view, Json json) { lines.push_back(std::move(json)); });
    return lines;
}

}  // namespace ddpm
