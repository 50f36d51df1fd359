#include "ddpm/report/progress.h"

#include <algorithm>
#include <cmath>

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include "ddpm/core/text.h"

namespace ddpm {

namespace {

constexpr double kBarInterval = 0.1, kFirstLine = 2, kLineInterval = 10, kLongestLineInterval = 60;
constexpr int kWidestBar = 24, kNarrowestBar = 8;

double fraction(const ProgressState& state) {
    return state.total > 0 ? std::clamp(static_cast<double>(state.done) / static_cast<double>(state.total), 0.0, 1.0) : 0;
}

// Rounded down, so that 100 means done.
int percent(const ProgressState& state) { return static_cast<int>(fraction(state) * 100); }

std::string numbers(const ProgressState& state) {
    return fmt::format("{}/{} {}", with_commas(state.done), with_commas(state.total), state.unit);
}

// ", 1 min 20 s left, loss 0.031"
std::string time_and_details(const ProgressState& state) {
    std::string text;
    const double left = state.seconds_left();
    if (left >= 0 && state.done >= state.total) text = fmt::format(", in {}", format_duration(state.seconds));
    if (left >= 0 && state.done < state.total) text = fmt::format(", {} left", format_duration(left));
    if (!state.details.empty()) text.append(", ").append(state.details);
    return text;
}

// Returns a bar of `cells` characters, filled to an eighth of a cell.
std::string blocks(double fraction, int cells) {
    static constexpr const char* kEighths[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
    const int eighths = static_cast<int>(fraction * cells * 8);
    std::string text;
    for (int cell = 0; cell < cells; ++cell) text += kEighths[std::clamp(eighths - cell * 8, 0, 8)];
    return text;
}

}  // namespace

double ProgressState::rate() const {
    return seconds > start_seconds && done > start ? static_cast<double>(done - start) / (seconds - start_seconds) : 0;
}

double ProgressState::seconds_left() const {
    const double speed = rate();
    return speed > 0 ? static_cast<double>(std::max<int64_t>(total - done, 0)) / speed : -1;
}

std::string progress_line(const ProgressState& state) {
    return fmt::format("{} {} ({}%){}", state.verb, numbers(state), percent(state), time_and_details(state));
}

std::string progress_bar(const ProgressState& state, int columns) {
    const std::string front = fmt::format("{} {:3}% ", state.verb, percent(state));
    const std::string back = numbers(state) + time_and_details(state);
    // The last column stays free: some terminals wrap when it is written. A bar takes 3 characters beside its cells.
    const int texts = static_cast<int>(count_characters(front) + count_characters(back));
    const int cells = std::min(columns - 1 - texts - 3, kWidestBar);
    const std::string bar = cells < kNarrowestBar ? "" : fmt::format("▕{}▏ ", blocks(fraction(state), cells));
    return std::string(first_characters(front + bar + back, static_cast<size_t>(std::max(columns - 1, 0))));
}

std::string format_duration(double seconds) {
    if (!std::isfinite(seconds) || seconds > 1e9) return "very long";
    if (seconds < 9.95) return fmt::format("{:.1f} s", std::max(seconds, 0.0));
    const auto whole = static_cast<int64_t>(std::llround(seconds));
    if (whole < 60) return fmt::format("{} s", whole);
    if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
    const int64_t minutes = (whole + 30) / 60;
    if (minutes < 24 * 60) return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
    const int64_t hours = (minutes + 30) / 60;
    return fmt::format("{} d {:02} h", hours / 24, hours % 24);
}

Progress::Progress(std::string verb, int64_t total, std::string unit, int64_t start, Console& console,
                   std::function<double()> clock)
    : console_(console),
      clock_(std::move(clock)),
      began_(clock_()),
      next_report_(console.is_terminal() ? 0 : kFirstLine),
      silent_(!spdlog::should_log(spdlog::level::info)) {
    state_.verb = std::move(verb);
    state_.unit = std::move(unit);
    state_.start = state_.done = start;
    state_.total = total;
}

Progress::~Progress() {
    if (bar_shown_) console_.keep_status();
}

void Progress::update(int64_t done, const std::string& details) {
    state_.done = done;
    state_.seconds = seconds();
    if (first_ && done < state_.total) {  // a first step takes longer than the others: the rate is measured from its end
        state_.start = done;
        state_.start_seconds = state_.seconds;
    }
    first_ = false;
    if (silent_ || state_.seconds < next_report_) return;
    state_.details = details;
    if (console_.is_terminal()) {
        console_.set_status(progress_bar(state_, console_.columns()));
        bar_shown_ = true;
        next_report_ = state_.seconds + kBarInterval;
    } else {
        console_.print(progress_line(state_));
        next_report_ = state_.seconds + std::clamp(state_.seconds / 50, kLineInterval, kLongestLineInterval);
    }
}

void Progress::finish(const std::string& closing_line) {
    if (bar_shown_) console_.set_status("");
    bar_shown_ = false;
    if (!silent_ && !closing_line.empty()) console_.print(closing_line);
}

}  // namespace ddpm
