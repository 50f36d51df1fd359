#pragma once

#include <string>
#include <string_view>

namespace ddpm::dataset {

// Whether the bytes begin like a gzip file.
bool is_gzip(std::string_view bytes);

// Returns the first `count` bytes of the content, or all of a shorter one. Damage before their end is a user_error that begins
// with `source`; damage after it goes unnoticed.
std::string gunzip_head(std::string_view bytes, const std::string& source, size_t count);

// Returns the content of a gzip file (RFC 1952) and verifies its checksum. Damaged or cut-off bytes, bytes after the end, and
// a content of more than `max_bytes` are user_errors that begin with `source`.
std::string gunzip(std::string_view bytes, const std::string& source, size_t max_bytes);

}  // namespace ddpm::dataset
