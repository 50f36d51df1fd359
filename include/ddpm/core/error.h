#pragma once

#include <stdexcept>
#include <string>

namespace ddpm {

// The one exception type of the program. `what()` is one line: what, where, what was expected, what to do; whatever would
// break it (a path or a name may hold anything) is escaped here. Only main() turns it into an exit code; a hint, when there
// is one, is printed as a second line.
class Error : public std::runtime_error {
public:
    enum class Kind { user = 2, runtime = 1 };  // the value is the process's exit code

    // `key`: the setting whose value is wrong, as "train.steps", "model.block_out_channels[1]" or the name of a flag; with
    // one, what() is "key: message".
    Error(Kind kind, const std::string& message, const std::string& hint = {}, const std::string& key = {});

    Kind kind() const { return kind_; }
    int exit_code() const { return static_cast<int>(kind_); }
    const std::string& hint() const { return hint_; }
    const std::string& key() const { return key_; }  // empty: the error speaks of no key

    // The same error, whose what() begins with `name` in place of the key: with the name that the user gave the setting by.
    Error shown_as(const std::string& name) const;

private:
    Kind kind_;
    std::string message_, hint_, key_;
};

// The system would not let something be read (no permission, too many open files, a fault of disk or network), which says
// nothing about what is in it.
class Unreadable : public Error {
public:
    using Error::Error;
};

// The user's mistake: a flag, a configuration, an image or a checkpoint that they named (exit code 2).
[[noreturn]] inline void user_error(const std::string& message, const std::string& hint = {}) {
    throw Error(Error::Kind::user, message, hint);
}

// The user's mistake in the value of a key or flag.
[[noreturn]] inline void key_error(const std::string& key, const std::string& message, const std::string& hint = {}) {
    throw Error(Error::Kind::user, message, hint, key);
}

// A failure at run time: a full disk, a vanished file, no memory (exit code 1).
[[noreturn]] inline void runtime_failure(const std::string& message, const std::string& hint = {}) {
    throw Error(Error::Kind::runtime, message, hint);
}

}  // namespace ddpm
