// Fuzzes a picture of any format that is read.

#include "ddpm/image/codec.h"
#include "fuzz/fuzz.h"

using namespace ddpm;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::takes([&] {
        const Image image = decode_image(fuzz::view(data, size), "fuzz.tga", {.channels = 4, .max_pixels = 1 << 14});
        fuzz::require(image.width >= 1 && image.height >= 1 && image.channels == 4, "a picture has a size");
        fuzz::require(image.pixels.size() == size_t{4} * image.width * image.height, "all pixels of the picture");
    });
    return 0;
}
