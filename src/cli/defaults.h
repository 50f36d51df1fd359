#pragma once

#include <string>

#include <spdlog/fmt/fmt.h>
#include <CLI/CLI.hpp>

namespace ddpm::cli {

// Adds an option whose help ends with the present content of `value`: "pictures at a time (default: 64)". So the default of a
// flag stands in one place, the initialiser of its variable.
template <class Value>
CLI::Option* add_with_default(CLI::App& command, const std::string& name, Value& value, const std::string& meaning) {
    return command.add_option(name, value, fmt::format("{} (default: {})", meaning, value));
}

}  // namespace ddpm::cli
