#include <algorithm>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "cli/neighbours_result.h"
#include "ddpm/core/text.h"
#include "ddpm/image/transform.h"
#include "ddpm/report/tiles.h"

namespace ddpm::cli {

namespace {

constexpr int kReadableSide = 96, kLongestShown = 160;
constexpr size_t kCaptionCharacters = 26;

// The end of a path says more than its beginning.
std::string caption(const std::string& name) {
    const size_t all = count_characters(name);
    if (all <= kCaptionCharacters) return name;
    std::string_view rest = name;
    rest.remove_prefix(first_characters(name, all - kCaptionCharacters + 1).size());
    return "…" + std::string(rest);
}

Image shown(Image image) {
    const int longest = std::max(image.width, image.height);
    if (longest <= kReadableSide) return enlarge(image, std::max(1, kReadableSide / longest));
    if (longest <= kLongestShown) return image;
    return resize(image, std::max(1, image.width * kLongestShown / longest), std::max(1, image.height * kLongestShown / longest));
}

// Bytes [C, H, W] as a picture.
Image image_of(const at::Tensor& bytes) {
    const at::Tensor hwc = bytes.permute({1, 2, 0}).contiguous();
    Image image = make_image(static_cast<int>(hwc.size(1)), static_cast<int>(hwc.size(0)), static_cast<int>(hwc.size(2)));
    std::copy_n(hwc.const_data_ptr<uint8_t>(), image.pixels.size(), image.pixels.begin());
    return image;
}

at::Tensor read_bytes(const Dataset& dataset, int64_t place) {
    const at::Tensor hwc = at::empty({dataset.height(), dataset.width(), dataset.channels()}, at::kByte);
    dataset.read_as_it_is(place, hwc.mutable_data_ptr<uint8_t>());
    return hwc.permute({2, 0, 1});
}

// The measure that makes a sample the most suspicious.
const CopyMeasure& accuser(const CopySearch& search, int64_t sample) {
    const auto relative = [&](const CopyMeasure& measure) {
        const double ratio = measure.ratios[sample].item<double>();
        return measure.copies.threshold > 0 ? ratio / measure.copies.threshold : 1 + ratio;
    };
    return *std::min_element(search.measures.begin(), search.measures.end(),
                             [&](const CopyMeasure& a, const CopyMeasure& b) { return relative(a) < relative(b); });
}

Tile difference_tile(const PictureViews& views, const at::Tensor& sample, const at::Tensor& training) {
    const PictureViews::Difference difference =
        views.difference(views.reduced(sample.unsqueeze(0))[0], views.reduced(training.unsqueeze(0))[0]);
    // Of pictures with transparency the difference of the colours is drawn.
    const at::Tensor pixels = difference.pixels.size(0) == 4 ? difference.pixels.slice(0, 0, 3) : difference.pixels;
    Tile tile{shown(image_of(pixels)), {fmt::format("difference {:.1f} of 255", difference.mean)}};
    if (!difference.words.empty()) tile.captions.push_back(difference.words);
    return tile;
}

TileRow row_of(const NeighboursFound& found, const PictureViews& views, int64_t sample) {
    const CopyMeasure& measure = accuser(found.search, sample);
    const auto near = measure.training[sample].item<int64_t>();
    const at::Tensor bytes = found.sets.samples[sample], training = read_bytes(*found.data.training, near);
    TileRow row;
    for (const CopyMeasure& each : found.search.measures) {
        const double ratio = each.ratios[sample].item<double>();
        row.label += fmt::format("{}{} {:.3f}{}", row.label.empty() ? "" : "\n", each.name, ratio,
                                 ratio < each.copies.threshold ? " *" : "");
    }
    row.tiles.push_back({shown(image_of(bytes)), {caption(found.samples.name(sample))}});
    row.tiles.push_back({shown(image_of(training)), {caption(found.data.training->name(near)), "nearest by " + measure.name}});
    row.tiles.push_back(difference_tile(views, bytes, training));
    if (!measure.held_out.defined()) return row;
    const auto held_out = found.beside[static_cast<size_t>(measure.held_out[sample].item<int64_t>())];
    row.tiles.push_back({shown(image_of(read_bytes(*found.data.held_out, held_out))),
                         {caption(found.data.held_out->name(held_out)), "nearest held out"}});
    return row;
}

}  // namespace

Image neighbours_sheet(const NeighboursFound& found) {
    const PictureViews views({found.sets.samples.size(1), found.sets.samples.size(2), found.sets.samples.size(3)},
                             found.data.mirrored);
    std::vector<std::string> thresholds;
    for (const CopyMeasure& measure : found.search.measures)
        thresholds.push_back(fmt::format("{:.3f} by {}", measure.copies.threshold, measure.name));
    std::vector<TileRow> rows;
    for (const int64_t sample : found.suspicious) rows.push_back(row_of(found, views, sample));
    return draw_tiles(
        fmt::format("Most suspicious of {}; flagged (*) below {}", plural(found.samples.count, "sample"), join(thresholds, ", ")),
        rows);
}

}  // namespace ddpm::cli
