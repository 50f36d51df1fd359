#include "cli/trajectory.h"

#include <algorithm>
#include <cmath>
#include <string>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/image/transform.h"
#include "ddpm/pipeline/pictures.h"

namespace ddpm::cli {

namespace {

constexpr int kTileSide = 64;  // pixels to which smaller pictures are enlarged, as far as a whole factor goes

std::vector<Tile> tiles_of(const at::Tensor& batch, int64_t count, const std::string& caption) {
    std::vector<Tile> tiles;
    for (const Image& image : to_images(batch.slice(0, 0, count).to(at::kCPU, at::kFloat).contiguous())) {
        const int factor = std::max(1, kTileSide / std::max(image.width, image.height));
        tiles.push_back({enlarge(convert_channels(image, 3), factor), {caption}});
    }
    return tiles;
}

std::string caption_of(const NoiseLevel& level) {
    return level.clean()                    ? "picture"
           : level.t == std::floor(level.t) ? fmt::format("t = {:.0f}", level.t)
                                            : fmt::format("t = {:.1f}", level.t);
}

}  // namespace

void Trajectory::add(const SamplingStep& step) {
    constexpr int64_t columns = 8;
    const bool wanted = step.i == 0 || (step.i + 1) * columns / step.S != step.i * columns / step.S;
    if (!wanted) return;
    columns_.push_back(
        {tiles_of(step.x, pictures_, caption_of(step.to)), tiles_of(step.pred_x0, pictures_, caption_of(step.from))});
}

Image Trajectory::picture() const {
    std::vector<TileRow> rows;
    for (int64_t i = 0; i < pictures_; ++i) {
        TileRow x{fmt::format("{}\nx_t", i), {}}, pred_x0{"x₀ as\nexpected", {}};
        for (const Column& column : columns_) {
            x.tiles.push_back(column.x[static_cast<size_t>(i)]);
            pred_x0.tiles.push_back(column.pred_x0[static_cast<size_t>(i)]);
        }
        rows.push_back(std::move(x));
        rows.push_back(std::move(pred_x0));
    }
    return draw_tiles("", rows);
}

}  // namespace ddpm::cli
