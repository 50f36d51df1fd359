#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ddpm {

// Gives `count` bytes at `offset` of a file; is only asked for what lies in it.
using ReadBytes = std::function<std::string(uint64_t offset, uint64_t count)>;

// A file in a zip archive whose bytes lie there as they are.
struct ZipEntry {
    std::string name;
    uint64_t begin = 0, size = 0;  // where in the archive, bytes
};

// Whether a file that begins like this may be a zip archive.
bool is_zip(std::string_view head);

// The entries of an archive, in the order of its directory; zip64 records are understood. Any of these is a user_error
// that begins with `source`: a directory that is missing, cut off or contradicts itself or the entries' own headers,
// entries that overlap, are encrypted, or compressed (torch.save compresses nothing), two of one name.
// Checksums are not looked at.
std::vector<ZipEntry> read_zip_directory(const ReadBytes& read, uint64_t file_size, const std::string& source);

}  // namespace ddpm
