#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "ddpm/core/clock.h"
#include "ddpm/report/console.h"

namespace ddpm {

// What a progress line says.
struct ProgressState {
    std::string verb;   // "training"
    std::string unit;   // "steps"
    int64_t start = 0;  // units done before the rate is measured: earlier sessions of a resumed run, the first step
    int64_t done = 0;
    int64_t total = 0;
    double seconds = 0;        // of this session
    std::string details;       // "loss 0.031, 787 images/s"
    double start_seconds = 0;  // of this session, when `start` was reached

    // Units per second and seconds left, judged by this session alone. While unknown they are 0 and −1.
    double rate() const;
    double seconds_left() const;
};

// "training 420/1,000 steps (42%), 1 min 20 s left, loss 0.031"
std::string progress_line(const ProgressState& state);
// Returns the same with a bar, cut to `columns` − 1 characters.
std::string progress_bar(const ProgressState& state, int columns);
// "0.4 s", "12 s", "3 min 05 s", "2 h 07 min", "3 d 04 h"
std::string format_duration(double seconds);

// Shows how far a loop is: on a terminal a bar that is redrawn at most ten times a second, elsewhere a line after 2 seconds
// and then every 10 to 60 seconds. It is silent when the log is quiet. One thread at a time may call.
class Progress {
public:
    Progress(std::string verb, int64_t total, std::string unit, int64_t start = 0, Console& console = standard_error(),
             std::function<double()> clock = steady_seconds);
    // Leaves the bar as it stands unless finish() was called, so that it shows where the loop ended.
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void update(int64_t done, const std::string& details = {});
    // Removes the bar and prints the closing line, if any.
    void finish(const std::string& closing_line = {});

    double rate() const { return state_.rate(); }
    double seconds() const { return clock_() - began_; }

private:
    ProgressState state_;
    Console& console_;
    std::function<double()> clock_;
    double began_;
    double next_report_;  // seconds of this session
    bool silent_, bar_shown_ = false, first_ = true;
};

}  // namespace ddpm
