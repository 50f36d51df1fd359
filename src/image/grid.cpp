#include "ddpm/image/grid.h"

#include <algorithm>
#include <cstring>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/image/transform.h"

namespace ddpm {

Image make_grid(const std::vector<Image>& images, int columns, int gap, uint8_t background) {
    if (images.empty()) runtime_failure("make_grid: no images");
    const Image& first = images.front();
    const int count = static_cast<int>(images.size());
    if (columns <= 0)
        for (columns = 1; columns * columns < count;) ++columns;
    if (columns > count) columns = count;
    const int rows = (count + columns - 1) / columns;
    Image grid = make_image(gap + columns * (first.width + gap), gap + rows * (first.height + gap), first.channels, background);
    for (int i = 0; i < count; ++i) {
        const Image& image = images[i];
        if (image.width != first.width || image.height != first.height || image.channels != first.channels)
            runtime_failure(fmt::format("make_grid: image {} is {}x{}x{}, the first {}x{}x{}", i, image.width, image.height,
                                        image.channels, first.width, first.height, first.channels));
        const int left = gap + i % columns * (image.width + gap), top = gap + i / columns * (image.height + gap);
        for (int y = 0; y < image.height; ++y) std::memcpy(grid.at(left, top + y), image.at(0, y), image.stride());
    }
    return grid;
}

Image make_readable_grid(const std::vector<Image>& images, int columns) {
    if (images.empty()) runtime_failure("make_readable_grid: no images");
    constexpr int readable = 64;  // pixels
    const int factor = std::max(1, readable / std::max(images.front().width, images.front().height));
    std::vector<Image> enlarged;
    for (const Image& image : images) enlarged.push_back(enlarge(image, factor));
    return make_grid(enlarged, columns);
}

}  // namespace ddpm
