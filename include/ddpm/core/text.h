#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ddpm {

// A character of a UTF-8 text (RFC 3629: no overlong forms, no surrogates).
struct Utf8Character {
    char32_t code = 0xFFFD;
    size_t length = 1;   // bytes
    bool valid = false;  // false for a byte that begins no character, which counts as U+FFFD
};

// Returns the character that a text begins with. The text must not be empty.
Utf8Character first_character(std::string_view text);

// Whether a text is UTF-8 throughout.
bool is_utf8(std::string_view text);

// Returns the text with each byte that is not UTF-8 written as \xNN; any other text as it is.
std::string as_utf8(std::string_view text);

// Counts the characters of a text. A byte that belongs to none counts as one.
size_t count_characters(std::string_view text);

// Returns the first `count` characters, or as many as there are.
std::string_view first_characters(std::string_view text, size_t count);

// Returns the whole characters among the first `bytes` bytes.
std::string_view within_bytes(std::string_view text, size_t bytes);

// "a, b, c"
std::string join(const std::vector<std::string>& words, std::string_view separator = ", ");

// Returns the parts between separators, empty ones too; "" gives one empty part.
std::vector<std::string> split(std::string_view text, char separator);

// Returns the candidate at the smallest edit distance, or "" if none is near enough to be a typing error.
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

// Returns an error message: `unknown schedule "cosin"; did you mean "cosine"? known: linear, cosine, …`. The list is left out
// if there is a near name and more than twelve are known.
std::string unknown_name(std::string_view what, std::string_view name, const std::vector<std::string>& known);

// Returns the text in double quotes, with control characters and invalid UTF-8 escaped and shortened to about 80 bytes. The
// result is safe in a one-line message, whatever a file or a flag holds. (Its name is not `quoted`, because for a std::string
// argument-dependent lookup would find std::quoted too.)
std::string quote(std::string_view text);

// Returns the text with control characters and invalid UTF-8 escaped. It is one line, whatever file names it holds.
std::string printable(std::string_view text);

// Returns the text as it has to be typed in a shell: as it is, 'quoted', or $'…' with control characters and invalid UTF-8
// escaped.
std::string shell_word(const std::string& text);

// Returns a message of another library on one line: cut at the first line break and after about 400 bytes, control
// characters and invalid UTF-8 escaped.
std::string one_line(std::string_view text);

// Returns the seconds of "90s", "30m", "2h", "1h30m", "1d": whole numbers with their units, the longer units first. Returns
// nothing for any other text.
std::optional<double> parse_duration(std::string_view text);

// "1 picture", "2 pictures"
std::string plural(int64_t count, std::string_view word);

// 35746307 -> "35,746,307"
std::string with_commas(int64_t value);

}  // namespace ddpm
