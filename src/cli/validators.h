#pragma once

#include <cstdint>
#include <limits>

#include <CLI/CLI.hpp>

namespace ddpm::cli {

// These check the value of a flag. The message is in this program's words: "got 1e3, expected an integer 1 … 4096".
CLI::Validator integer_in(int64_t low, int64_t high = std::numeric_limits<int64_t>::max());
CLI::Validator number_in(double low, double high = std::numeric_limits<double>::max());
CLI::Validator number_above(double low, double high);  // low itself is refused

}  // namespace ddpm::cli
