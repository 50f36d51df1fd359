// stb_image is compiled in this file alone, without the formats and functions that are not used.

#include <cstdlib>
#include <memory>

#include <spdlog/fmt/fmt.h>

#include "formats.h"

namespace {

// A few bytes of a damaged file can unpack to gigabytes. No single block may exceed what the picture's size explains.
thread_local size_t largest_block = 0;

void* limited_realloc(void* block, size_t size) { return size <= largest_block ? std::realloc(block, size) : nullptr; }

}  // namespace

#define STBI_MALLOC(size) limited_realloc(nullptr, size)
#define STBI_REALLOC(block, size) limited_realloc(block, size)
#define STBI_FREE(block) std::free(block)
#define STBI_ASSERT(condition) static_cast<void>(0)  // a damaged file must not abort a debug build
#define STBI_NO_STDIO
#define STBI_NO_JPEG
#define STBI_NO_PSD
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_NO_PIC
#define STBI_NO_PNM
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb_image.h>
#pragma GCC diagnostic pop

namespace ddpm::image {

namespace {

struct Freed {
    void operator()(void* block) const { stbi_image_free(block); }
};

}  // namespace

Image decode_with_stb(const Source& source, const ImageHeader& header) {
    // 16 bits × 4 channels, twice over because buffers grow by doubling, and a reserve for tables.
    largest_block = 16 * (static_cast<size_t>(header.width) + 8) * header.height + (size_t{1} << 20);
    const auto* bytes = reinterpret_cast<const stbi_uc*>(source.bytes.data());
    const int size = static_cast<int>(source.bytes.size());
    int width = 0, height = 0, channels = 0;
    std::unique_ptr<stbi_us, Freed> wide;
    std::unique_ptr<stbi_uc, Freed> narrow;
    if (header.bits == 16)
        wide.reset(stbi_load_16_from_memory(bytes, size, &width, &height, &channels, 0));
    else
        narrow.reset(stbi_load_from_memory(bytes, size, &width, &height, &channels, 0));
    if (!wide && !narrow) {
        const char* reason = stbi_failure_reason();
        source.broken(fmt::format("damaged {}: {}", header.format, reason != nullptr ? reason : "undecodable"));
    }
    if (width != header.width || height != header.height)
        source.broken(fmt::format("damaged {}: the pixels are {}x{}, the header says {}x{}", header.format, width, height,
                                  header.width, header.height));
    Image image = make_image(width, height, channels);
    for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = wide ? to_8_bits(wide.get()[i]) : narrow.get()[i];
    return image;
}

}  // namespace ddpm::image
