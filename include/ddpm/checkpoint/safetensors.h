#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/tensorfile/safetensors_header.h"

namespace ddpm {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

// A safetensors file that was opened and checked; tensors are read one at a time.
class SafetensorsFile {
public:
    // user_error: a file that is missing or not sound.
    explicit SafetensorsFile(const std::filesystem::path& path);
    ~SafetensorsFile();
    SafetensorsFile(SafetensorsFile&& other) noexcept;
    SafetensorsFile(const SafetensorsFile&) = delete;
    SafetensorsFile& operator=(const SafetensorsFile&) = delete;

    const std::filesystem::path& path() const { return path_; }
    const SafetensorsHeader& header() const { return header_; }

    // Whether the file carries the checksum of kChecksumKey.
    bool has_checksum() const { return checksum_at_.has_value(); }
    // user_error when that checksum is not the one of what lies in the file. Reads the whole file.
    void verify() const;

    // `entry` is one of header().tensors. On the CPU, contiguous, in the dtype of the file.
    at::Tensor read(const SafetensorsEntry& entry) const;

private:
    std::filesystem::path path_;
    SafetensorsHeader header_;
    int descriptor_ = -1;
    std::optional<uint64_t> checksum_at_;
};

// All tensors of a file, in the order of its buffer; a wrong checksum is a user_error.
NamedTensors read_safetensors(const std::filesystem::path& path);

// Writes what the Python library would write, byte for byte when it is given the same tensors and metadata (of which the
// checksum comes first): sorted by dtype, then name. Tensors may lie on any device and have any strides; one at a time is
// copied. Names must differ and must not be "__metadata__". The file appears whole or not at all.
void write_safetensors(const std::filesystem::path& path, const NamedTensors& tensors,
                       const SafetensorsMetadata& metadata = {{"format", "pt"}});

// "F32" and its like for a dtype that safetensors knows; else user_error.
std::string safetensors_dtype(at::ScalarType type);
// The other way round.
at::ScalarType scalar_type_of(const std::string& dtype);

}  // namespace ddpm
