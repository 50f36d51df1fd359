#pragma once

namespace ddpm {

enum class Verbosity {
    quiet,    // warnings and errors
    normal,   // also messages of progress: spdlog::info
    verbose,  // also details: spdlog::debug
};

// Sends spdlog's default logger to standard_error(): the bare message, preceded by "warning: " or "error: " if it is one.
// Progress shows nothing when the log is quiet.
void start_log(Verbosity verbosity);

}  // namespace ddpm
