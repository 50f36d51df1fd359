// Reads the headers of GIF, BMP and TGA, and checks that a file holds as many bytes as its header promises. stb_image,
// which decodes them, would take missing bytes for zeros.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "ddpm/image/transform.h"
#include "formats.h"

namespace ddpm::image {

namespace {

ImageHeader make_header(const Source& source, int64_t width, int64_t height, int channels, int bits) {
    if (width < 1 || height < 1 || width > std::numeric_limits<int>::max() || height > std::numeric_limits<int>::max())
        source.broken(fmt::format("damaged picture: a size of {}x{}", width, height));
    ImageHeader header;
    header.width = static_cast<int>(width);
    header.height = static_cast<int>(height);
    header.channels = channels;
    header.bits = bits;
    return header;
}

// Returns where the sub-blocks that begin at `at` end.
size_t skip_gif_blocks(const Source& source, size_t at) {
    while (const uint8_t length = source.u8(at)) at += 1 + size_t{length};
    return at + 1;
}

size_t gif_colours(uint8_t flags) { return flags & 0x80 ? size_t{3} << ((flags & 7) + 1) : 0; }

struct BmpHeader {
    uint32_t pixels, size, bits, compression;
    int64_t width, height;
};

BmpHeader read_bmp(const Source& source) {
    BmpHeader bmp{};
    bmp.pixels = source.little32(10);
    bmp.size = source.little32(14);
    if (bmp.size == 12) {  // OS/2
        bmp.width = source.little16(18);
        bmp.height = source.little16(20);
        bmp.bits = source.little16(24);
    } else {
        bmp.width = static_cast<int32_t>(source.little32(18));
        bmp.height = std::abs(static_cast<int64_t>(static_cast<int32_t>(source.little32(22))));  // negative: top down
        bmp.bits = source.little16(28);
        bmp.compression = source.little32(30);
    }
    return bmp;
}

struct TgaHeader {
    uint32_t id_length, colour_map, type, map_first, map_length, map_bits, width, height, bits, places;

    bool packed() const { return type & 8; }
    bool from_right() const { return places & 0x10; }
    size_t pixels() const { return 18 + id_length + (colour_map ? map_length * ((map_bits + 7) / 8) : 0); }
    size_t pixel_bytes() const { return (bits + 7) / 8; }
};

TgaHeader read_tga(const Source& source) {
    return {source.u8(0), source.u8(1),        source.u8(2),        source.little16(3), source.little16(5),
            source.u8(7), source.little16(12), source.little16(14), source.u8(16),      source.u8(17)};
}

bool one_of(uint32_t value, std::initializer_list<uint32_t> allowed) {
    return std::find(allowed.begin(), allowed.end(), value) != allowed.end();
}

}  // namespace

bool is_gif(const Source& source) { return source.bytes.substr(0, 6) == "GIF89a" || source.bytes.substr(0, 6) == "GIF87a"; }

ImageHeader probe_gif(const Source& source) { return make_header(source, source.little16(6), source.little16(8), 4, 8); }

Image decode_gif(const Source& source, const ImageHeader& header) {
    size_t at = 13 + gif_colours(source.u8(10));
    for (;;) {
        const uint8_t kind = source.u8(at);
        if (kind == 0x21) {  // an extension: label, blocks
            at = skip_gif_blocks(source, at + 2);
        } else if (kind == 0x2C) {  // the first frame: 9 bytes, colours, code size, blocks
            skip_gif_blocks(source, at + 11 + gif_colours(source.u8(at + 9)));
            return decode_with_stb(source, header);
        } else {
            source.broken(
                fmt::format("damaged GIF: {} at byte {}", kind == 0x3B ? "no picture before the end" : "an unknown block", at));
        }
    }
}

bool is_bmp(const Source& source) {
    return source.bytes.substr(0, 2) == "BM" && source.bytes.size() >= 18 &&
           one_of(source.little32(14), {12, 40, 52, 56, 108, 124});
}

ImageHeader probe_bmp(const Source& source) {
    const BmpHeader bmp = read_bmp(source);
    return make_header(source, bmp.width, bmp.height, bmp.bits == 32 ? 4 : 3, bmp.bits < 8 ? static_cast<int>(bmp.bits) : 8);
}

Image decode_bmp(const Source& source, const ImageHeader& header) {
    const BmpHeader bmp = read_bmp(source);
    if (bmp.size == 52 || !one_of(bmp.compression, {0, 3}))
        source.broken("a compressed BMP, which is not supported; convert it to PNG");
    if (!one_of(bmp.bits, {1, 4, 8, 16, 24, 32})) source.broken(fmt::format("damaged BMP: {} bits a pixel", bmp.bits));
    const uint64_t row = (static_cast<uint64_t>(bmp.width) * bmp.bits + 31) / 32 * 4;
    source.expect_size(bmp.pixels + row * static_cast<uint64_t>(bmp.height));
    return decode_with_stb(source, header);
}

bool is_tga(const Source& source) {
    if (source.name.size() < 4 || source.bytes.size() < 18) return false;
    std::string ending = source.name.substr(source.name.size() - 4);
    std::transform(ending.begin(), ending.end(), ending.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    const TgaHeader tga = read_tga(source);
    return ending == ".tga" && one_of(tga.type, {1, 2, 3, 9, 10, 11}) && one_of(tga.bits, {8, 15, 16, 24, 32}) &&
           tga.colour_map == (tga.type % 8 == 1 ? 1u : 0u) && tga.map_first == 0;
}

ImageHeader probe_tga(const Source& source) {
    const TgaHeader tga = read_tga(source);
    const uint32_t bits = tga.colour_map ? tga.map_bits : tga.bits;
    const bool grey = tga.type % 8 == 3;
    const int channels = grey ? (bits == 16 ? 2 : 1) : bits == 32 ? 4 : 3;
    return make_header(source, tga.width, tga.height, channels, 8);
}

Image decode_tga(const Source& source, const ImageHeader& header) {
    const TgaHeader tga = read_tga(source);
    size_t at = tga.pixels();
    if (!tga.packed()) {
        source.expect_size(at + static_cast<uint64_t>(tga.width) * tga.height * tga.pixel_bytes());
    } else {
        for (int64_t left = static_cast<int64_t>(tga.width) * tga.height; left > 0;) {
            const uint8_t packet = source.u8(at);
            const int count = (packet & 0x7F) + 1;
            at += 1 + (packet & 0x80 ? 1 : count) * tga.pixel_bytes();
            left -= count;
        }
        source.expect_size(at);
    }
    Image image = decode_with_stb(source, header);  // which looks at the order of the rows alone
    return tga.from_right() ? flip_horizontal(std::move(image)) : image;
}

}  // namespace ddpm::image
