#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/core/files.h"
#include "ddpm/tensorfile/safetensors_header.h"

namespace ddpm {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

// An open safetensors file. Its header has been checked; tensors are read one at a time.
class SafetensorsFile {
public:
    // A file that is missing or not sound is a user_error.
    explicit SafetensorsFile(const std::filesystem::path& path);

    const std::filesystem::path& path() const { return path_; }
    const SafetensorsHeader& header() const { return header_; }

    // Whether the file carries the checksum of kChecksumKey.
    bool has_checksum() const { return checksum_at_.has_value(); }
    // Reads the whole file and throws a user_error if it does not match that checksum. Does nothing without a checksum.
    void verify() const;

    // Reads `entry`, one of header().tensors. The result is on the CPU, contiguous, in the dtype of the file.
    at::Tensor read(const SafetensorsEntry& entry) const;

private:
    std::filesystem::path path_;
    SafetensorsHeader header_;
    Descriptor descriptor_;
    std::optional<uint64_t> checksum_at_;
};

// Reads all tensors of a file, in the order of its buffer. A wrong checksum is a user_error.
NamedTensors read_safetensors(const std::filesystem::path& path);

// Writes the tensors sorted by dtype, then name. The bytes are those that the Python library writes for the same
// tensors and metadata, of which the checksum is the first entry. Tensors may lie on any device and have any strides;
// they are copied one at a time. Names must differ and must not be "__metadata__". The file appears whole or not at
// all.
void write_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                       const SafetensorsMetadata& metadata = {{"format", "pt"}});

// A file of one tensor, [N, …], that comes in pieces of some of the N and is never in memory as a whole. The file is byte
// for byte the one of write_safetensors, and appears whole or not at all.
class SafetensorsWriter {
public:
    // `shape` and `type`: of the whole tensor.
    SafetensorsWriter(const std::filesystem::path& path, const std::string& name, at::ScalarType type, std::vector<int64_t> shape,
                      const SafetensorsMetadata& metadata = {{"format", "pt"}});
    // The next piece, on any device and with any strides, of the dtype of the whole.
    void write(const at::Tensor& piece);
    // runtime_failure: the pieces are not the whole.
    void commit();

private:
    FileWriter file_;
    std::string name_, head_;
    at::ScalarType type_;
    uint64_t missing_;  // bytes
    uint32_t crc_;
};

// Returns the name of a dtype, "F32" for float32. A dtype that safetensors does not know is a user_error.
std::string safetensors_dtype(at::ScalarType type);
// Returns the dtype of such a name. An unknown name is a user_error.
at::ScalarType scalar_type_of(const std::string& dtype);

}  // namespace ddpm
