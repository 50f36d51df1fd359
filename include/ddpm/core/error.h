#pragma once

#include <stdexcept>
#include <string>

namespace ddpm {

// The one exception type of the program. `what()` is one line: what, where, what was expected, what to do. Characters that
// would break the line (a path or a name may hold any) are escaped here. Only main() turns the error into an exit code, and
// prints the hint, if there is one, as a second line.
class Error : public std::runtime_error {
public:
    enum class Kind { user = 2, runtime = 1 };  // the value is the process's exit code

    // `key` is the setting whose value is wrong: "train.steps", "model.block_out_channels[1]" or the name of a flag. With a
    // key, what() is "key: message".
    Error(Kind kind, const std::string& message, const std::string& hint = {}, const std::string& key = {});

    Kind kind() const { return kind_; }
    int exit_code() const { return static_cast<int>(kind_); }
    const std::string& message() const { return message_; }  // what() without the key, and not escaped
    const std::string& hint() const { return hint_; }
    const std::string& key() const { return key_; }  // empty if the error is about no setting

    // Returns the same error, but its what() begins with `name`, by which the user gave the setting, in place of the key.
    Error shown_as(const std::string& name) const;

private:
    Kind kind_;
    std::string message_, hint_, key_;
};

// The system refused to read something: no permission, too many open files, a fault of disk or network. That says nothing
// about its content, which may be sound.
class Unreadable : public Error {
public:
    using Error::Error;
};

// Throws the user's mistake: a flag, a configuration, an image or a checkpoint that they named (exit code 2).
[[noreturn]] inline void user_error(const std::string& message, const std::string& hint = {}) {
    throw Error(Error::Kind::user, message, hint);
}

// Throws the user's mistake in the value of a key or flag (exit code 2).
[[noreturn]] inline void key_error(const std::string& key, const std::string& message, const std::string& hint = {}) {
    throw Error(Error::Kind::user, message, hint, key);
}

// Throws a failure at run time: a full disk, a vanished file, no memory (exit code 1).
[[noreturn]] inline void runtime_failure(const std::string& message, const std::string& hint = {}) {
    throw Error(Error::Kind::runtime, message, hint);
}

}  // namespace ddpm
