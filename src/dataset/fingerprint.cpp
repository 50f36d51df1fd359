#include "dataset/fingerprint.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <system_error>

#include <zlib.h>

#include "dataset/parallel.h"

namespace ddpm::dataset {

namespace {

constexpr int64_t kSampledFiles = 1024;
constexpr uint64_t kPiece = 16 << 10;  // bytes
constexpr uint64_t kPieces = 4;        // of a file: its beginning, its end and two between them

// Little-endian, whatever the machine is.
uint32_t checksum_of_number(uint32_t before, uint64_t number) {
    char bytes[8];
    for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(number >> (8 * i));
    return checksum(before, {bytes, sizeof bytes});
}

uint32_t checksum_of_sample(const std::filesystem::path& path, uint64_t size) {
    std::ifstream file(path, std::ios::binary);
    std::string piece(std::min(size, kPieces * kPiece), '\0');
    const auto read = [&](uint64_t offset, uint32_t before) {
        file.seekg(static_cast<std::streamoff>(offset));
        file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
        return checksum(before,
                        std::string_view(piece).substr(0, static_cast<size_t>(std::max<std::streamsize>(file.gcount(), 0))));
    };
    if (size <= kPieces * kPiece) return read(0, 0);
    piece.resize(kPiece);
    uint32_t sum = 0;
    for (uint64_t i = 0; i < kPieces; ++i) sum = read((size - kPiece) * i / (kPieces - 1), sum);
    return sum;
}

}  // namespace

uint32_t checksum(uint32_t before, std::string_view bytes) {
    return static_cast<uint32_t>(crc32_z(before, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

DataFingerprint fingerprint_of_files(const std::filesystem::path& root, const std::vector<std::filesystem::path>& files,
                                     int threads) {
    DataFingerprint found;
    std::vector<uint64_t> sizes(files.size());
    parallel_for(static_cast<int64_t>(files.size()), threads, "sizes of files", [&](int64_t i) {
        std::error_code error;
        const uintmax_t size = std::filesystem::file_size(files[static_cast<size_t>(i)], error);
        sizes[static_cast<size_t>(i)] = error ? 0 : size;
    });
    for (size_t i = 0; i < files.size(); ++i) {
        const std::string name = files[i].lexically_relative(root).generic_string();
        found.names = checksum(found.names, std::string_view(name.c_str(), name.size() + 1));  // with the zero that ends it
        found.sizes = checksum_of_number(found.sizes, sizes[i]);
    }
    const auto count = static_cast<int64_t>(files.size()), sampled = std::min(count, kSampledFiles);
    std::vector<uint32_t> sums(static_cast<size_t>(sampled));
    parallel_for(sampled, threads, "a sample of the files", [&](int64_t k) {
        const auto i = static_cast<size_t>(k * count / sampled);
        sums[static_cast<size_t>(k)] = checksum_of_sample(files[i], sizes[i]);
    });
    for (const uint32_t sum : sums) found.bytes = checksum_of_number(found.bytes, sum);
    return found;
}

}  // namespace ddpm::dataset
