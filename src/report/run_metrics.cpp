#include "ddpm/report/run_metrics.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <string_view>

#include <unistd.h>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/json.h"

namespace ddpm {

namespace {

constexpr size_t kLongestLine = 1 << 20;
constexpr size_t kMostBins = 64, kMostMeasures = 16;

// Calls `visit(line)` for every line that ends in a line break, without it; for one longer than kLongestLine with nothing. Returns
// whether there are bytes behind the last line break.
bool for_each_line_of(const fs::path& path, const std::function<void(std::string_view)>& visit) {
    const Descriptor file = open_to_read(path);
    std::string line;
    bool too_long = false;
    char buffer[1 << 16];
    for (;;) {
        const ssize_t count = ::read(file.get(), buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw Unreadable(Error::Kind::user, fmt::format("{}: can't read: {}", path.string(), std::strerror(errno)));
        if (count == 0) return too_long || !line.empty();
        std::string_view rest(buffer, static_cast<size_t>(count));
        for (size_t end; (end = rest.find('\n')) != rest.npos; rest.remove_prefix(end + 1)) {
            line.append(rest.substr(0, end));
            visit(too_long ? std::string_view() : line);
            line.clear();
            too_long = false;
        }
        line.append(rest);
        if (line.size() > kLongestLine) {
            too_long = true;
            line.clear();
        }
    }
}

// Lines before line `before` whose step is `step` or more are done again.
struct Restart {
    int64_t before = 0, step = 0;
};

double number_of(const Json& object, const char* key, double otherwise = std::nan("")) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number() ? found->get<double>() : otherwise;
}

class MetricsReader {
public:
    MetricsReader(std::vector<Restart> restarts, size_t columns)
        : restarts_(std::move(restarts)), columns_(columns), metrics_(columns) {}

    // Takes the next line. Whatever it holds, it does no harm.
    void take(std::string_view line) {
        ++metrics_.lines;
        Json json;
        try {
            json = parse_json(line, "line");
        } catch (const Error&) {
        }
        const auto step = json.is_object() ? json.find("step") : json.end();
        if (!json.is_object() || step == json.end() || !step->is_number_integer() || step->get<int64_t>() < 0) {
            ++metrics_.unreadable;
            return;
        }
        if (is_replaced(step->get<int64_t>()))
            ++metrics_.replaced;
        else
            take_metrics(step->get<int64_t>(), json);
    }

    RunMetrics& metrics() { return metrics_; }
    // Returns the restarts that this reading has met and was not told of. Where there are any, the metrics are wrong.
    const std::vector<Restart>& met() const { return met_; }

private:
    bool is_replaced(int64_t step) {
        while (next_ < restarts_.size() && restarts_[next_].before <= metrics_.lines) ++next_;
        // Those that follow have ever greater steps, because a lower one makes those before it superfluous.
        return next_ < restarts_.size() && step >= restarts_[next_].step;
    }

    void note_restart(int64_t step) {
        while (!met_.empty() && met_.back().step >= step) met_.pop_back();
        met_.push_back({metrics_.lines, step});
    }

    void take_metrics(int64_t step, const Json& json) {
        if (json.contains("loss") || json.contains("rollback")) {
            if (step <= metrics_.last_step) note_restart(step);
            if (json.contains("loss")) metrics_.last_step = step;
        }
        for (const char* key : {"time", "heartbeat"})
            if (const double time = number_of(json, key); std::isfinite(time)) {
                if (metrics_.first_time == 0) metrics_.first_time = time;
                metrics_.last_time = time;
            }
        if (json.contains("loss")) take_step(step, json);
        if (const auto part = json.find("validation"); part != json.end() && part->is_object()) take_validation(step, *part);
        if (const auto part = json.find("rollback"); part != json.end() && part->is_object()) {
            ++metrics_.rollback_count;
            const double from = number_of(*part, "from", 0);
            if (metrics_.rollbacks.size() < RunMetrics::kMost)
                metrics_.rollbacks.push_back({static_cast<int64_t>(from), step - 1, number_of(*part, "learning_rate_factor", 1)});
        }
        if (const auto part = json.find("gave_up"); part != json.end()) {
            const bool says = part->is_object() && part->contains("place") && (*part)["place"].is_string();
            metrics_.gave_up = says ? (*part)["place"].get<std::string>() : std::string();
        }
        if (const auto part = json.find("quality"); part != json.end() && part->is_object()) take_quality(step, *part);
    }

    void take_step(int64_t step, const Json& json) {
        const double loss = number_of(json, "loss");
        metrics_.loss.add(step, loss);
        metrics_.grad_norm.add(step, number_of(json, "grad_norm"));
        metrics_.learning_rate.add(step, number_of(json, "lr"));
        metrics_.images_per_second.add(step, number_of(json, "images_per_second"));
        if (json.contains("skipped")) ++metrics_.skipped;
        if (const double score = number_of(json, "spike"); std::isfinite(score)) {
            ++metrics_.spike_count;
            if (metrics_.spikes.size() < RunMetrics::kMost) metrics_.spikes.push_back({step, score, loss});
        }
        metrics_.gave_up.reset();  // the run goes on after all
    }

    void take_validation(int64_t step, const Json& validation) {
        if (const auto raw = validation.find("raw"); raw != validation.end() && raw->is_object())
            metrics_.held_out_raw.add(step, number_of(*raw, "loss"));
        const auto ema = validation.find("ema");
        if (ema == validation.end() || !ema->is_object()) return;
        const double loss = number_of(*ema, "loss");
        metrics_.held_out_ema.add(step, loss);
        if (std::isfinite(loss)) {
            metrics_.last_held_out = {step, loss};
            const bool best = !metrics_.best_held_out || loss < metrics_.best_held_out->loss;
            if (best) metrics_.best_held_out = metrics_.last_held_out;
            metrics_.held_out_since_best = best ? 0 : metrics_.held_out_since_best + 1;
        }
        const auto bins = ema->find("by_t");
        if (bins == ema->end() || !bins->is_array()) return;
        const size_t count = std::min(bins->size(), kMostBins);
        if (metrics_.held_out_by_t.size() < count) metrics_.held_out_by_t.resize(count, ColumnCurve(columns_));
        for (size_t i = 0; i < count; ++i)
            if ((*bins)[i].is_number()) metrics_.held_out_by_t[i].add(step, (*bins)[i].get<double>());
    }

    void take_quality(int64_t step, const Json& quality) {
        for (const auto& [name, measure] : quality.items()) {
            if (!measure.is_object() || !std::isfinite(number_of(measure, "value"))) continue;
            if (!metrics_.quality.contains(name) && metrics_.quality.size() >= kMostMeasures) continue;
            std::vector<QualityPoint>& points = metrics_.quality[name];
            points.push_back({step, number_of(measure, "value"), number_of(measure, "sd"), number_of(measure, "floor")});
            if (points.size() <= 2 * RunMetrics::kMost) continue;
            for (size_t i = 0; i < points.size() / 2; ++i) points[i] = points[2 * i];
            points.resize(points.size() / 2);
        }
    }

    const std::vector<Restart> restarts_;
    const size_t columns_;
    size_t next_ = 0;
    std::vector<Restart> met_;
    RunMetrics metrics_;
};

}  // namespace

RunMetrics read_run_metrics(const fs::path& path, size_t columns) {
    std::vector<Restart> restarts;
    for (int again = 0;; ++again) {
        MetricsReader reader(restarts, columns);
        reader.metrics().torn = for_each_line_of(path, [&](std::string_view line) { reader.take(line); });
        // A run cuts off the lines of steps that it does again, so that a second reading is rare. It knows what the first one has
        // met; a file that changes meanwhile may show new ones.
        if (reader.met().empty() || again == 3) return std::move(reader.metrics());
        restarts = reader.met();
    }
}

}  // namespace ddpm
