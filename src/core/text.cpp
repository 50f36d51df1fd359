#include "ddpm/core/text.h"

#include <algorithm>
#include <cstdio>

#include <spdlog/fmt/fmt.h>

namespace ddpm {

namespace {

// Keeps printable text and writes the rest as \n, \t or \xNN. Ends with "…" once the result is longer than `limit` bytes.
std::string escaped(std::string_view text, size_t limit) {
    std::string out;
    while (!text.empty()) {
        if (out.size() > limit) return out + "…";
        const Utf8Character next = first_character(text);
        if (next.code == U'\n') {
            out += "\\n";
        } else if (next.code == U'\t') {
            out += "\\t";
        } else if (!next.valid || next.code < 0x20 || next.code == 0x7F) {
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text.front()));
        } else {
            out.append(text.substr(0, next.length));
        }
        text.remove_prefix(next.length);
    }
    return out;
}

// Levenshtein distance in which a swap of neighbours counts one.
size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
    for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
    for (size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
    for (size_t i = 1; i <= a.size(); ++i)
        for (size_t j = 1; j <= b.size(); ++j) {
            const size_t same = a[i - 1] == b[j - 1] ? 0 : 1;
            d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + same});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
        }
    return d[a.size()][b.size()];
}

}  // namespace

Utf8Character first_character(std::string_view text) {
    const auto byte = [&](size_t i) -> char32_t { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0; };
    const char32_t first = byte(0);
    if (first < 0x80) return {first, 1, true};
    const size_t length = first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
    constexpr Utf8Character none{0xFFFD, 1, false};
    if (length == 0) return none;
    char32_t code = first & (0x7Fu >> length);
    for (size_t i = 1; i < length; ++i) {
        if (byte(i) >> 6 != 2) return none;
        code = code << 6 | (byte(i) & 0x3F);
    }
    constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};  // the smallest code of each length
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    return code < smallest[length] || surrogate || code > 0x10FFFF ? none : Utf8Character{code, length, true};
}

bool is_utf8(std::string_view text) {
    for (; !text.empty(); text.remove_prefix(first_character(text).length))
        if (!first_character(text).valid) return false;
    return true;
}

std::string as_utf8(std::string_view text) {
    std::string out;
    for (size_t length = 0; !text.empty(); text.remove_prefix(length)) {
        const Utf8Character next = first_character(text);
        length = next.length;
        if (next.valid)
            out.append(text.substr(0, length));
        else
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text.front()));
    }
    return out;
}

size_t count_characters(std::string_view text) {
    size_t count = 0;
    for (; !text.empty(); ++count) text.remove_prefix(first_character(text).length);
    return count;
}

std::string_view first_characters(std::string_view text, size_t count) {
    size_t end = 0;
    for (; end < text.size() && count > 0; --count) end += first_character(text.substr(end)).length;
    return text.substr(0, end);
}

std::string_view within_bytes(std::string_view text, size_t bytes) {
    size_t end = 0;
    while (end < text.size()) {
        const size_t length = first_character(text.substr(end)).length;
        if (end + length > bytes) break;
        end += length;
    }
    return text.substr(0, end);
}

std::string join(const std::vector<std::string>& words, std::string_view separator) {
    return fmt::format("{}", fmt::join(words, separator));
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    size_t begin = 0;
    for (size_t i = 0; i <= text.size(); ++i)
        if (i == text.size() || text[i] == separator) {
            parts.emplace_back(text.substr(begin, i - begin));
            begin = i + 1;
        }
    return parts;
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
    if (name.size() > 100) return {};
    std::string best;
    size_t best_distance = std::max<size_t>(1, name.size() / 3) + 1;
    for (const std::string& candidate : candidates) {
        size_t distance = edit_distance(name, candidate);
        // "lr_sched" for "lr_schedule": a beginning of some length is a near miss too.
        if (name.size() >= 4 && candidate.rfind(name, 0) == 0) distance = std::min<size_t>(distance, 1);
        if (distance < best_distance) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

std::string unknown_name(std::string_view what, std::string_view name, const std::vector<std::string>& known) {
    const std::string near = nearest_name(name, known);
    constexpr size_t many = 12;
    if (near.empty()) return fmt::format("unknown {} {}; known: {}", what, quote(name), join(known));
    return fmt::format("unknown {} {}; did you mean \"{}\"?{}", what, quote(name), near,
                       known.size() > many ? "" : " known: " + join(known));
}

std::string quote(std::string_view text) { return '"' + escaped(text, 80) + '"'; }

std::string shell_word(const std::string& text) {
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
    if (!is_utf8(text) || std::any_of(text.begin(), text.end(), is_control)) {
        std::string guarded;
        for (const char c : text) {
            if (c == '\\' || c == '\'') guarded += '\\';
            guarded += c;
        }
        return "$'" + escaped(guarded, guarded.npos) + "'";
    }
    if (!text.empty() && text.find_first_of(" \t\n'\"\\$`*?[]{}()<>|&;!~#") == std::string::npos) return text;
    std::string quoted = "'";
    for (char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
}

std::string printable(std::string_view text) { return escaped(text, text.npos); }

std::string one_line(std::string_view text) { return escaped(text.substr(0, text.find('\n')), 400); }

std::optional<double> parse_duration(std::string_view text) {
    constexpr std::pair<char, int> units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
    size_t unit = 0;
    double seconds = 0;
    if (text.empty()) return std::nullopt;
    while (!text.empty()) {
        const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
        if (digits == 0 || digits > 9 || digits == text.size()) return std::nullopt;
        while (unit < std::size(units) && units[unit].first != text[digits]) ++unit;
        if (unit == std::size(units)) return std::nullopt;
        seconds += std::stod(std::string(text.substr(0, digits))) * units[unit++].second;
        text.remove_prefix(digits + 1);
    }
    return seconds;
}

std::string plural(int64_t count, std::string_view word) { return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s"); }

std::string with_commas(int64_t value) {
    std::string digits = std::to_string(value);
    const size_t first = value < 0 ? 1 : 0;
    for (size_t i = digits.size(); i > first + 3;) {
        i -= 3;
        digits.insert(i, 1, ',');
    }
    return digits;
}

}  // namespace ddpm
