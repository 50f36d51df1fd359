#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace ddpm {

// Keeps the order in which keys were written, so that a file written back reads like the one that came in.
using Json = nlohmann::ordered_json;

// Strict JSON (RFC 8259): UTF-8, no comments, no trailing commas, no duplicate keys, nesting up to 64 levels.
// `source` names the text in errors ("configs/shapes.json"); a breach is a user_error with line and column,
// or with the path of the key given twice.
Json parse_json(std::string_view text, const std::string& source);

// What a JSON file may have unless it is known to hold more: as a value it can take thirty times as much memory.
inline constexpr uint64_t kMaxJsonFileBytes = uint64_t{4} << 20;

// Reads and parses a file. A larger one is a user_error.
Json read_json_file(const std::filesystem::path& path, uint64_t max_bytes = kMaxJsonFileBytes);

// Indented by 2, closing newline. Bytes of texts that are not UTF-8, as names of files may be, become U+FFFD.
std::string dump_json(const Json& value);

// A value as it would be written on one line of an error message, shortened.
std::string brief(const Json& value);

}  // namespace ddpm
