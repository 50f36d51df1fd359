#pragma once

#include <cstdio>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace ddpm {

// Prints lines for a person. On a terminal it also keeps a status line at the bottom, which is redrawn in place and never
// mixes with the other lines. Thread-safe.
class Console {
public:
    // `columns` returns the width of the terminal in characters, whenever columns() is called. The console does not own
    // `file`.
    Console(std::FILE* file, bool terminal, std::function<int()> columns);

    bool is_terminal() const { return terminal_; }
    int columns() const { return columns_(); }

    // Prints one whole line above the status line.
    void print(std::string_view line);
    // Replaces the status line, which must fit the width; "" removes it. Does nothing without a terminal.
    void set_status(std::string line);
    // Ends the status line where it stands, as if it had been printed.
    void keep_status();

private:
    void write(std::string_view text);

    std::FILE* file_;
    bool terminal_;
    std::function<int()> columns_;
    std::mutex mutex_;
    std::string status_;
};

// The console of stderr, to which everything but results goes.
Console& standard_error();

}  // namespace ddpm
