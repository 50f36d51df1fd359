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

// Bytes of one element of a known dtype.
uint64_t safetensors_dtype_size(const std::string& dtype);

// `head` is the beginning of a file of `file_size` bytes: at least its first 8 bytes, or the whole of a shorter file.
// Returns how many bytes the length field and the header take together. A length field that can't be right is a
// user_error that begins with `source`.
uint64_t safetensors_head_size(std::string_view head, uint64_t file_size, const std::string& source);

// Reads the header strictly: `head` holds exactly safetensors_head_size() bytes. Any of these is a user_error that
// begins with `source`: no JSON object, unknown or missing keys, duplicate names, an unknown dtype, a shape whose size
// in bytes overflows or is not that of its offsets, a gap, an overlap, a file longer or shorter than the tensors.
SafetensorsHeader parse_safetensors_header(std::string_view head, uint64_t file_size, const std::string& source);

// The same of a file, of which only the head is read.
SafetensorsHeader read_safetensors_header(const std::filesystem::path& path);

// The metadata key of the checksum that a file of this program carries: zlib's crc32, as eight hexadecimal digits, of the
// whole file as it would be with eight zeros in their place.
inline constexpr const char* kChecksumKey = "crc32";
inline constexpr const char* kNoChecksum = "00000000";

// Where in a file those digits are, when they are where this program writes them: as the first entry of a metadata that
// comes first. Nothing for any other head.
std::optional<uint64_t> checksum_position(std::string_view head);
std::string checksum_digits(uint32_t crc);

// The head of a file with these tensors, byte for byte the Python writer's form: no blanks, metadata first, padded with
// spaces to a multiple of 8. `tensors` must be in the order of the buffer.
std::string write_safetensors_head(const SafetensorsMetadata& metadata, const std::vector<SafetensorsEntry>& tensors);

}  // namespace ddpm
