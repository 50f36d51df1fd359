#pragma once

#include <cstdio>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace ddpm {

// Lines for a person, and on a terminal one more at the bottom that is redrawn in place and that the others never
// tear. Thread-safe.
class Console {
public:
    // `columns` tells the width of the terminal; asked at every redraw.
    Console(std::FILE* file, bool terminal, std::function<int()> columns);

    bool is_terminal() const { return terminal_; }
    int columns() const { return columns_(); }

    // One whole line, above the status line.
    void print(std::string_view line);
    // Replaces the status line, which must fit the width; "" removes it. Does nothing where there is no terminal.
    void set_status(std::string line);
    // Leaves the status line where it stands, as if printed.
    void keep_status();

private:
    void write(std::string_view text);

    std::FILE* file_;
    bool terminal_;
    std::function<int()> columns_;
    std::mutex mutex_;
    std::string status_;
};

// stderr, where all but results goes.
Console& standard_error();

}  // namespace ddpm
