#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ddpm {

// Returns `count` bytes at `offset` of a file. It is called only for bytes that lie within the file.
using ReadBytes = std::function<std::string(uint64_t offset, uint64_t count)>;

// A file that a zip archive holds.
struct ZipEntry {
    std::string name;
    uint64_t begin = 0, size = 0;  // bytes as they are stored; `begin` counts from the beginning of the archive
    uint64_t content_size = 0;     // bytes of the file itself; `size` unless it is deflated
    uint32_t crc = 0;              // of the file itself
    bool deflated = false;
};

// Whether a file that begins with `head` may be a zip archive.
bool is_zip(std::string_view head);

// Reads the names of the files in an archive, compressed or not, in the order of its directory. A directory that is missing
// or cut off is a user_error that begins with `source`.
std::vector<std::string> read_zip_names(const ReadBytes& read, uint64_t file_size, const std::string& source);

// Reads the entries of an archive, in the order of its directory; zip64 records are understood. Any of these is a
// user_error that begins with `source`: a directory that is missing, cut off or contradicts itself or the entries' own
// headers, entries that overlap, are encrypted or compressed (torch.save compresses nothing), two entries of one name.
// `may_deflate`: entries may be deflated, as those of numpy.savez_compressed are. Checksums are not verified.
std::vector<ZipEntry> read_zip_directory(const ReadBytes& read, uint64_t file_size, const std::string& source,
                                         bool may_deflate = false);

}  // namespace ddpm
