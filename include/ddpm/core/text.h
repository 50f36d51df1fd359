#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ddpm {

// A character of a UTF-8 text (RFC 3629: none longer than it need be, no surrogates).
struct Utf8Character {
    char32_t code = 0xFFFD;
    size_t length = 1;   // bytes
    bool valid = false;  // false for a byte that begins no character: it counts as U+FFFD
};

// The character that a text begins with. The text must not be empty.
Utf8Character first_character(std::string_view text);

// How many characters a text has; a byte that belongs to none counts as one.
size_t count_characters(std::string_view text);

// The first `count` characters, or as many as there are.
std::string_view first_characters(std::string_view text, size_t count);

// The whole characters among the first `bytes` bytes.
std::string_view within_bytes(std::string_view text, size_t bytes);

// "a, b, c"
std::string join(const std::vector<std::string>& words, std::string_view separator = ", ");

// Parts between separators, empty ones kept; "" gives one empty part.
std::vector<std::string> split(std::string_view text, char separator);

// The candidate at the smallest edit distance, or "" when none is near enough to be a slip of the fingers.
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

// `unknown schedule "cosin"; did you mean "cosine"? known: linear, cosine, …`; a near miss of more than twelve names goes without
// the list.
std::string unknown_name(std::string_view what, std::string_view name, const std::vector<std::string>& known);

// (Not `quoted`: for a std::string argument-dependent lookup would find std::quoted too.)
// The text in double quotes with control characters and invalid UTF-8 escaped, shortened to about 80 characters:
// safe to put into a one-line message whatever a file or a flag holds.
std::string quote(std::string_view text);

// The text with control characters and invalid UTF-8 escaped, so that it is one line whatever names of files it holds.
std::string printable(std::string_view text);

// The text as it has to be typed in a shell.
std::string shell_word(const std::string& text);

// A message of another library on one line: cut at the first line break, control characters escaped.
std::string one_line(std::string_view text);

// Seconds of "90s", "30m", "2h", "1h30m", "1d": numbers with their units, the longer first. Nothing for any other text.
std::optional<double> parse_duration(std::string_view text);

// "1 picture", "2 pictures"
std::string plural(int64_t count, std::string_view word);

// 35746307 -> "35,746,307"
std::string with_commas(int64_t value);

}  // namespace ddpm
