#include "ddpm/report/console.h"

#include <cstdlib>

#include <sys/ioctl.h>
#include <unistd.h>

namespace ddpm {

namespace {

constexpr std::string_view kClearLine = "\r\x1b[K";

bool is_capable_terminal(int descriptor) {
    const char* kind = std::getenv("TERM");
    return ::isatty(descriptor) && kind != nullptr && std::string_view(kind) != "dumb";
}

int terminal_columns() {
    winsize size{};
    constexpr int kUsual = 80;
    return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsual;
}

}  // namespace

Console::Console(std::FILE* file, bool terminal, std::function<int()> columns)
    : file_(file), terminal_(terminal), columns_(std::move(columns)) {}

void Console::print(std::string_view line) {
    const std::lock_guard lock(mutex_);
    std::string text;
    if (!status_.empty()) text += kClearLine;
    text.append(line).append("\n").append(status_);
    write(text);
}

void Console::set_status(std::string line) {
    const std::lock_guard lock(mutex_);
    if (!terminal_ || line == status_) return;
    status_ = std::move(line);
    write(std::string(kClearLine) + status_);
}

void Console::keep_status() {
    const std::lock_guard lock(mutex_);
    if (status_.empty()) return;
    status_.clear();
    write("\n");
}

// Writes with one call, so that other processes' output does not get in between.
void Console::write(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), file_);
    std::fflush(file_);
}

Console& standard_error() {
    // It is never destroyed, because destructors that run at the end of the process may still log.
    static Console& console = *new Console(stderr, is_capable_terminal(STDERR_FILENO), terminal_columns);
    return console;
}

}  // namespace ddpm
