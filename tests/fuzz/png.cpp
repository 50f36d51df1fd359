// Fuzzes the text and the pixels of a PNG. The checksums are made right, so that damage gets past them.

#include <string>

#include <zlib.h>

#include "ddpm/image/codec.h"
#include "fuzz/fuzz.h"

using namespace ddpm;

namespace {

std::string with_right_checksums(std::string png) {
    const auto byte = [&](size_t at) { return static_cast<uint32_t>(static_cast<unsigned char>(png[at])); };
    for (size_t at = 8; at + 12 <= png.size();) {
        const size_t length = byte(at) << 24 | byte(at + 1) << 16 | byte(at + 2) << 8 | byte(at + 3);
        if (length > png.size() - at - 12) break;
        const uLong sum = crc32_z(0, reinterpret_cast<const Bytef*>(png.data() + at + 4), length + 4);
        for (int i = 0; i < 4; ++i) png[at + 8 + length + i] = static_cast<char>(sum >> (24 - 8 * i));
        at += 12 + length;
    }
    return png;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string png = with_right_checksums(std::string(fuzz::view(data, size)));
    fuzz::takes([&] { parse_png_text(png, "fuzz.png"); });
    fuzz::takes([&] { decode_image(png, "fuzz.png", {.channels = 3, .max_pixels = 1 << 14}); });
    return 0;
}
