#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace ddpm {

// A UTF-8 text in Unicode's normal form C (UAX #15): "é" is one character, whether a system has written it as one or as an e
// and an accent. Bytes that are not UTF-8 stay.
std::string to_normal_form(std::string_view text);

// The text that the name of a file or a folder stands for: in normal form C, with each byte that is not UTF-8 as \xNN. Names
// that look the same are the same text, and any JSON and PNG can hold it.
std::string text_of_name(std::string_view name);

// Where `path` leads nowhere, and a path that looks the same (in another normal form of Unicode) is there: a hint that says
// so. Else empty.
std::string hint_of_spelling(const std::filesystem::path& path);

}  // namespace ddpm
