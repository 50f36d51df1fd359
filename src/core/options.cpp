#include "ddpm/core/options.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <spdlog/fmt/fmt.h>

namespace ddpm {

namespace {

// 20000, 0.5, 1e-08
std::string plain(double value) {
    return value == std::floor(value) && std::abs(value) < 1e15 ? fmt::format("{:.0f}", value) : fmt::format("{}", value);
}

std::string expectation(const std::string& type, const Range& range) {
    const std::string text = range.text();
    return text.empty() ? type : type + " " + text;
}

}  // namespace

std::string Range::text() const {
    const bool low = std::isfinite(min), high = std::isfinite(max);
    if (low && high) return open_min ? fmt::format("> {} and ≤ {}", plain(min), plain(max)) : plain(min) + " … " + plain(max);
    if (low) return (open_min ? "> " : "≥ ") + plain(min);
    if (high) return "≤ " + plain(max);
    return {};
}

void wrong_value(const Json& value, const std::string& path, const std::string& expected) {
    key_error(path, fmt::format("got {}, expected {}", brief(value), expected));
}

int64_t read_integer(const Json& value, const std::string& path, const Range& range) {
    const std::string expected = expectation("an integer", range);
    int64_t number = 0;
    if (value.is_number_unsigned()) {
        if (value.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) wrong_value(value, path, expected);
        number = value.get<int64_t>();
    } else if (value.is_number_integer()) {
        number = value.get<int64_t>();
    } else if (value.is_number_float()) {
        // 2e4 is an integer too, as long as a double holds it exactly.
        const double real = value.get<double>();
        if (real != std::floor(real) || std::abs(real) > 9007199254740992.0) wrong_value(value, path, expected);
        number = static_cast<int64_t>(real);
    } else {
        wrong_value(value, path, expected);
    }
    if (!range.contains(static_cast<double>(number))) wrong_value(value, path, expected);
    return number;
}

double read_number(const Json& value, const std::string& path, const Range& range) {
    const std::string expected = expectation("a number", range);
    if (!value.is_number()) wrong_value(value, path, expected);
    const double number = value.get<double>();
    if (!std::isfinite(number) || !range.contains(number)) wrong_value(value, path, expected);
    return number;
}

bool read_boolean(const Json& value, const std::string& path) {
    if (!value.is_boolean()) wrong_value(value, path, "true or false");
    return value.get<bool>();
}

std::string read_text(const Json& value, const std::string& path) {
    if (!value.is_string()) wrong_value(value, path, "a text in quotes");
    return value.get<std::string>();
}

std::string read_choice(const Json& value, const std::string& path, const std::vector<std::string>& allowed) {
    if (!value.is_string()) wrong_value(value, path, "one of " + join(allowed));
    std::string name = value.get<std::string>();
    if (std::find(allowed.begin(), allowed.end(), name) == allowed.end()) {
        const std::string near = nearest_name(name, allowed);
        wrong_value(value, path, "one of " + join(allowed) + (near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near)));
    }
    return name;
}

std::vector<int64_t> read_integers(const Json& value, const std::string& path, const Range& range) {
    if (!value.is_array()) wrong_value(value, path, "a list of integers");
    std::vector<int64_t> numbers;
    for (size_t i = 0; i < value.size(); ++i) numbers.push_back(read_integer(value[i], fmt::format("{}[{}]", path, i), range));
    return numbers;
}

}  // namespace ddpm
