#pragma once

#include <string>

#include <spdlog/fmt/fmt.h>
#include <CLI/CLI.hpp>

namespace ddpm::cli {

// Adds an option whose help ends with what `value` holds now: "pictures at a time (default: 64)". The default of a flag is
// its variable's initialiser and stands nowhere else.
template <class Value>
CLI::Option* add_with_default(CLI::App& command, const std::string& name, Value& value, const std::string& meaning) {
    return command.add_option(name, value, fmt::format("{} (default: {})", meaning, value));
}

}  // namespace ddpm::cli
