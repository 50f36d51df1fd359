#pragma once

#include <string>
#include <string_view>

namespace ddpm::dataset {

// Whether the bytes begin like a gzip file.
bool is_gzip(std::string_view bytes);

// The first `count` bytes of the content, or all of a shorter one; damage after them is not looked at.
std::string gunzip_head(std::string_view bytes, const std::string& source, size_t count);

// The content of a gzip file (RFC 1952), checksums verified. Damaged or cut-off bytes, and a content of more than
// `max_bytes`, are a user_error that begins with `source`.
std::string gunzip(std::string_view bytes, const std::string& source, size_t max_bytes);

}  // namespace ddpm::dataset
