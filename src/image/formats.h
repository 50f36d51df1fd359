#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ddpm/image/codec.h"

namespace ddpm::image {

// The bytes of one picture, and the name that they have in errors.
struct Source {
    std::string_view bytes;
    const std::string& name;

    // These read unsigned numbers at an offset. Beyond the end they throw the error "cut off".
    uint8_t u8(size_t at) const;
    uint32_t little16(size_t at) const { return u8(at) | static_cast<uint32_t>(u8(at + 1)) << 8; }
    uint32_t little32(size_t at) const { return little16(at) | little16(at + 2) << 16; }
    uint32_t big32(size_t at) const;

    // Throws the user_error "NAME: WHAT".
    [[noreturn]] void broken(const std::string& what) const;
    [[noreturn]] void cut_off() const;
    // Throws the error "cut off" if the file has fewer bytes.
    void expect_size(uint64_t size) const;
};

struct Format {
    const char* name;
    bool (*matches)(const Source&);
    // Reads the header, for which the beginning of the file is enough.
    ImageHeader (*probe)(const Source&);
    // Decodes to 8 bits, with channels as stored. It is called after the header has been checked against the limit of
    // pixels.
    Image (*decode)(const Source&, const ImageHeader&);
};

// The formats in the order in which they are tried.
const std::vector<Format>& formats();

// A chunk of a PNG. The views point into the source.
struct PngChunk {
    std::string_view type, data;
};
// Returns all chunks from IHDR to IEND, with lengths and checksums verified.
std::vector<PngChunk> png_chunks(const Source& source);

bool is_png(const Source& source);
ImageHeader probe_png(const Source& source);
Image decode_png(const Source& source, const ImageHeader& header);

bool is_jpeg(const Source& source);
ImageHeader probe_jpeg(const Source& source);
Image decode_jpeg(const Source& source, const ImageHeader& header);

bool is_pnm(const Source& source);
ImageHeader probe_pnm(const Source& source);
Image decode_pnm(const Source& source, const ImageHeader& header);

bool is_gif(const Source& source);
ImageHeader probe_gif(const Source& source);
Image decode_gif(const Source& source, const ImageHeader& header);

bool is_bmp(const Source& source);
ImageHeader probe_bmp(const Source& source);
Image decode_bmp(const Source& source, const ImageHeader& header);

bool is_tga(const Source& source);
ImageHeader probe_tga(const Source& source);
Image decode_tga(const Source& source, const ImageHeader& header);

// Decodes PNG, GIF, BMP and TGA with stb_image; 16 bits are rounded to 8.
Image decode_with_stb(const Source& source, const ImageHeader& header);

// Returns v·255/65535, rounded.
inline uint8_t to_8_bits(uint32_t value16) { return static_cast<uint8_t>((value16 * 255 + 32767) / 65535); }

}  // namespace ddpm::image
