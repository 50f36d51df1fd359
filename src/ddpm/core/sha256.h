#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace ddpm {

// SHA-256 (FIPS 180-4) of bytes that come in pieces.
class Sha256 {
public:
    void add(std::string_view bytes);
    // The digest of all that was added, as 64 lower-case hexadecimal digits. It may be asked once.
    std::string finish();

private:
    void take_block(const uint8_t* block);

    std::array<uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    std::array<uint8_t, 64> block_{};
    uint64_t bytes_ = 0;
};

// The digest of a text, as 64 lower-case hexadecimal digits.
std::string sha256_of(std::string_view bytes);

}  // namespace ddpm
