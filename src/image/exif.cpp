#include "exif.h"

#include <cstdint>
#include <cstring>

namespace ddpm::image {

std::optional<int> exif_orientation(std::string_view block) {
    constexpr std::string_view kMark("Exif\0\0", 6);
    constexpr uint32_t kOrientation = 0x0112, kLong = 4;
    if (block.substr(0, kMark.size()) == kMark) block.remove_prefix(kMark.size());
    const bool little = block.substr(0, 2) == "II";
    // Reads a number of 2 or 4 bytes. Beyond the end it is 0, which has no meaning below.
    const auto number = [&](size_t at, int count) {
        uint32_t value = 0;
        for (int i = 0; i < count && at + count <= block.size(); ++i)
            value |= static_cast<uint32_t>(static_cast<unsigned char>(block[at + i])) << 8 * (little ? i : count - 1 - i);
        return value;
    };
    const size_t directory = number(4, 4);
    const uint32_t entries = number(directory, 2);
    for (uint32_t i = 0; i < entries; ++i) {
        const size_t entry = directory + 2 + size_t{12} * i;
        const uint32_t value = number(entry + 8, number(entry + 2, 2) == kLong ? 4 : 2);
        if (number(entry, 2) == kOrientation && value >= 1 && value <= 8) return static_cast<int>(value);
    }
    return std::nullopt;
}

Image upright(const Image& stored, int orientation) {
    const bool transposed = is_transposed(orientation);
    Image out = transposed ? make_image(stored.height, stored.width, stored.channels)
                           : make_image(stored.width, stored.height, stored.channels);
    const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    for (int y = 0; y < out.height; ++y) {
        for (int x = 0; x < out.width; ++x) {
            const int across = transposed ? y : x, down = transposed ? x : y;
            const int from_x = from_right ? stored.width - 1 - across : across;
            const int from_y = from_bottom ? stored.height - 1 - down : down;
            std::memcpy(out.at(x, y), stored.at(from_x, from_y), stored.channels);
        }
    }
    return out;
}

}  // namespace ddpm::image
