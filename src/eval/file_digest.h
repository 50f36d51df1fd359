#pragma once

#include <filesystem>
#include <string>

namespace ddpm::eval {

// The SHA-256 of a file's bytes, as 64 lower-case hexadecimal digits. Errors are those of open_to_read and read_at.
std::string sha256_of_file(const std::filesystem::path& file);

}  // namespace ddpm::eval
