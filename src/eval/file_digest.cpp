#include "eval/file_digest.h"

#include <algorithm>
#include <cstdint>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/sha256.h"
#include "ddpm/tensorfile/read_at.h"

namespace ddpm::eval {

std::string sha256_of_file(const std::filesystem::path& file) {
    const Descriptor descriptor = open_to_read(file);
    std::error_code error;
    const uint64_t size = std::filesystem::file_size(file, error);
    if (error) user_error(fmt::format("{}: can't read: {}", file.string(), error.message()));
    Sha256 sha;
    std::string piece(std::min<uint64_t>(size, 1 << 20), '\0');
    for (uint64_t at = 0; at < size; at += piece.size()) {
        piece.resize(std::min<uint64_t>(piece.size(), size - at));
        read_at(descriptor.get(), at, piece.data(), piece.size(), file.string());
        sha.add(piece);
    }
    return sha.finish();
}

}  // namespace ddpm::eval
