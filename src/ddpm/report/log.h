#pragma once

namespace ddpm {

enum class Verbosity {
    quiet,    // warnings and errors
    normal,   // and what is going on
    verbose,  // and details: spdlog::debug
};

// Sends spdlog's default logger to standard_error(): the bare message, "warning: " or "error: " before those. Progress
// shows nothing when quiet.
void start_log(Verbosity verbosity);

}  // namespace ddpm
