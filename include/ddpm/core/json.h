#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace ddpm {

// Keeps the order in which keys were written, so that a file written back reads like the one that came in.
using Json = nlohmann::ordered_json;

// Parses strict JSON (RFC 8259): UTF-8, no comments, no trailing commas, no duplicate keys, nesting up to 64 levels.
// Any other text is a user_error that begins with `source`, the name of the text ("configs/shapes.json"), and says line and
// column, or the path of a duplicate key.
Json parse_json(std::string_view text, const std::string& source);

// The largest file that read_json_file takes unless its caller expects more. A parsed value can take thirty times as much
// memory as its text.
inline constexpr uint64_t kMaxJsonFileBytes = uint64_t{4} << 20;

// Reads and parses a file or a pipe of at most `max_bytes`. The errors are those of read_file and parse_json; a device and a
// file of another kind (a picture, a page of HTML, …) are user_errors that say what it is.
Json read_json_file(const std::filesystem::path& path, uint64_t max_bytes = kMaxJsonFileBytes);

// Writes a value as JSON text, indented by 2 spaces, with a newline at the end. Bytes that are not UTF-8 (the name of a file
// may hold some) become \xNN (as_utf8).
std::string dump_json(const Json& value);

// Writes a value as JSON on one line for an error message. A text of more than 60 bytes is cut there and ends in "…".
std::string brief(const Json& value);

}  // namespace ddpm
