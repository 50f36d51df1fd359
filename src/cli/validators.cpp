#include "cli/validators.h"

#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <locale>
#include <sstream>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/text.h"

namespace ddpm::cli {

namespace {

bool parse(const std::string& text, int64_t& value) {
    const char* end = text.data() + text.size();
    const auto [stop, code] = std::from_chars(text.data(), end, value);
    return code == std::errc() && stop == end;
}

// Apple's library has no std::from_chars for doubles.
bool parse(const std::string& text, double& value) {
    std::istringstream in(text);
    in.imbue(std::locale::classic());
    return !text.empty() && !std::isspace(static_cast<unsigned char>(text[0])) && in >> value && in.peek() == EOF;
}

template <class Number>
CLI::Validator in_range(const char* kind, Number low, Number high, const std::string& range) {
    const auto check = [=](std::string& text) {
        Number value{};
        const bool fits = parse(text, value) && value >= low && value <= high;  // false for NaN
        return fits ? std::string() : fmt::format("got {}, expected {} {}", quote(text), kind, range);
    };
    return CLI::Validator(check, "");
}

}  // namespace

CLI::Validator integer_in(int64_t low, int64_t high) {
    const bool bounded = high != std::numeric_limits<int64_t>::max();
    return in_range<int64_t>("an integer", low, high, bounded ? fmt::format("{} … {}", low, high) : fmt::format("≥ {}", low));
}

CLI::Validator number_in(double low, double high) {
    const bool bounded = high != std::numeric_limits<double>::max();
    return in_range<double>("a number", low, high, bounded ? fmt::format("{} … {}", low, high) : fmt::format("≥ {}", low));
}

CLI::Validator number_above(double low, double high) {
    const double least = std::nextafter(low, high);
    return in_range<double>("a number", least, high, fmt::format("above {} and at most {}", low, high));
}

}  // namespace ddpm::cli
