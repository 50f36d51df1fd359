#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ddpm/image/image.h"

namespace ddpm {

// These functions read PNG, JPEG, GIF (first frame), BMP, PPM/PGM and TGA. A format is recognised by its first bytes,
// never by the file's name, except TGA, which has no such bytes and is recognised by the extension .tga and a plausible
// header. Any file gives a picture or a user_error that begins with the file's name.

struct ImageHeader {
    int width = 0, height = 0;     // as decoded: after the EXIF orientation of a JPEG or a PNG
    int channels = 0;              // as stored: 1 grey, 2 grey + alpha, 3 RGB or palette, 4 with alpha or CMYK
    int bits = 8;                  // of a channel or a palette's index, as stored (1 … 16)
    std::string format;            // "PNG", "JPEG", …
    bool is_made_by_ddpm = false;  // a PNG which says that this program has made it (software_text)
};

// Reads the header of a picture alone.
ImageHeader probe_image(const std::filesystem::path& path);

struct DecodeOptions {
    int channels = 3;                                     // of the result: 1, 3 or 4
    std::array<uint8_t, 3> background = {255, 255, 255};  // under transparent pixels, unless channels is 4
    int64_t max_pixels = 178'956'970;                     // width × height, checked before anything is allocated
};

// Decodes a picture to 8 bits; 16 bits are rounded. Alpha is composited over the background unless channels is 4, RGB
// becomes grey by ITU-R 601 luma, and the EXIF orientation of a JPEG or a PNG is applied. Colour profiles and gamma are ignored, as
// in Pillow. A file that is cut off or damaged is an error, not half a picture. `source` names the bytes in errors.
Image decode_image(std::string_view bytes, const std::string& source, const DecodeOptions& options = {});
Image read_image(const std::filesystem::path& path, const DecodeOptions& options = {});

// Whether the name ends like that of a picture that read_image can open (.png, .JPG, …), so that the file is worth a
// try.
bool has_image_extension(const std::filesystem::path& path);

// The keyword and UTF-8 text of each of a PNG's text chunks, in the file's order.
using PngText = std::vector<std::pair<std::string, std::string>>;

// Encodes an image of 1 to 4 channels in 8 bits. Keywords are 1 to 79 printable ASCII characters; bytes of texts
// that are not UTF-8 are written as \xNN.
std::string encode_png(const Image& image, const PngText& text = {});
void write_png(const std::filesystem::path& path, const Image& image, const PngText& text = {});

// Reads tEXt and uncompressed iTXt chunks; compressed ones are left out. Verifies the lengths and checksums of the
// whole file.
PngText read_png_text(const std::filesystem::path& path);

// The text by which a PNG says that this program has made it.
PngText software_text();
// Whether a file is a PNG that says so.
bool is_made_by_ddpm(const std::filesystem::path& path);
// Reads the text of a PNG in memory, as read_png_text does; `source` names it in errors.
PngText parse_png_text(std::string_view bytes, const std::string& source);

}  // namespace ddpm
