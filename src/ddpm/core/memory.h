#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace ddpm {

// Returns the bytes of the host's memory that this process may still take: the least of what the system calls available and
// what its control groups leave (versions 1 and 2; the page cache that they can give back counts as free). Returns nothing
// if none of that can be read. `root` is the folder in which proc and sys lie.
std::optional<int64_t> available_memory(const std::filesystem::path& root = "/");

// "734 MiB", "2.4 GiB"
std::string format_bytes(int64_t bytes);

}  // namespace ddpm
