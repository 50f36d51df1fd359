#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ddpm {

using SafetensorsMetadata = std::vector<std::pair<std::string, std::string>>;

// One tensor of a safetensors file: C order, little-endian.
struct SafetensorsEntry {
    std::string name;
    std::string dtype;  // one of safetensors_dtypes()
    std::vector<int64_t> shape;
    uint64_t begin = 0, end = 0;  // bytes, counted from the beginning of the buffer
};

struct SafetensorsHeader {
    SafetensorsMetadata metadata;
    std::vector<SafetensorsEntry> tensors;  // in the order of the buffer
    uint64_t buffer_begin = 0;              // where in the file the buffer begins
};

// The known dtypes in the order in which the Python writer sorts tensors: U64, I64, F64, … BOOL.
const std::vector<std::string>& safetensors_dtypes();

// The bytes of one element of a known dtype; 0 for an unknown one.
uint64_t safetensors_dtype_size(const std::string& dtype);

// `head` is the beginning of a file of `file_size` bytes: at least its first 16 bytes, or the whole of a shorter file.
// Returns how many bytes the length field and the header take together. A length field that can't be right and a file of
// another kind are user_errors that begin with `source`.
uint64_t safetensors_head_size(std::string_view head, uint64_t file_size, const std::string& source);

// Reads the header strictly: `head` holds exactly safetensors_head_size() bytes. Any of these is a user_error that
// begins with `source`: a header that is no JSON object, unknown or missing keys, duplicate names, an unknown dtype, a
// shape whose size in bytes overflows or is not that of its offsets, a gap, an overlap, a file longer or shorter than
// the tensors.
SafetensorsHeader parse_safetensors_header(std::string_view head, uint64_t file_size, const std::string& source);

// Reads the header of a file in the same way. It reads only the head.
SafetensorsHeader read_safetensors_header(const std::filesystem::path& path);

// The metadata key under which files of this program carry a checksum. The checksum is zlib's crc32 of the whole file
// with eight zeros in its place, written as eight hexadecimal digits.
inline constexpr const char* kChecksumKey = "crc32";
inline constexpr const char* kNoChecksum = "00000000";

// Returns where in a file those digits are, if the metadata comes first and the key is its first entry, as this program
// writes them. Returns nothing for any other head.
std::optional<uint64_t> checksum_position(std::string_view head);
std::string checksum_digits(uint32_t crc);

// Returns the head of a file with these tensors, byte for byte in the Python writer's form: without blanks, the
// metadata first, padded with spaces to a multiple of 8. `tensors` must be in the order of the buffer.
std::string write_safetensors_head(const SafetensorsMetadata& metadata, const std::vector<SafetensorsEntry>& tensors);

}  // namespace ddpm
