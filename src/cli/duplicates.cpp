#include "cli/duplicates.h"

#include <algorithm>
#include <cstdio>

#include <spdlog/spdlog.h>

#include "ddpm/core/text.h"
#include "ddpm/dataset/duplicates.h"
#include "ddpm/dataset/holdout.h"
#include "ddpm/image/codec.h"
#include "ddpm/image/transform.h"
#include "ddpm/report/tiles.h"

namespace ddpm::cli {

namespace {

constexpr size_t kListed = 20;  // pairs in the text and on the sheet

using Parts = std::vector<const Dataset*>;  // of training and, if there are any, the held-out pictures

std::string name_of(const Parts& parts, const PictureOf& picture) {
    return parts[picture.part]->name(picture.index) + (picture.part > 0 ? " (held out)" : "");
}

std::string likeness(const DuplicatePair& pair) { return pair.same ? "the same" : fmt::format("{:.4f}", pair.correlation); }

// Lines in the form of format_report.
std::string text_of(const Duplicates& found, const Parts& parts) {
    std::string text;
    const auto line = [&text](const char* name, const std::string& value) { text += fmt::format("  {:<9} {}\n", name, value); };
    const int64_t all = found.copies + found.near_pairs;
    if (all == 0)
        line("twice", fmt::format("none of {}", plural(found.compared, "picture")));
    else
        line("twice",
             fmt::format("{} the same as an earlier one, {} nearly the same (correlation of grey {}x{} thumbnails above {})",
                         plural(found.copies, "picture"), plural(found.near_pairs, "pair"), kThumbnailSide, kThumbnailSide,
                         kNearlyTheSame));
    for (const DuplicatePair& pair : found.pairs)
        line("", fmt::format("{} and {}: {}", name_of(parts, pair.first), name_of(parts, pair.second), likeness(pair)));
    if (const auto rest = all - static_cast<int64_t>(found.pairs.size()); rest > 0) line("", fmt::format("… and {} more", rest));
    if (!found.unreadable.empty())
        line("",
             fmt::format("not looked at: {} that can't be read", plural(static_cast<int64_t>(found.unreadable.size()), "picture")));
    return text;
}

void warn_of_held_out(const Duplicates& found, const Parts& parts) {
    if (found.copies_across + found.near_across == 0) return;
    const DuplicatePair& pair = found.pairs.front();  // those across come first
    spdlog::warn(
        "dataset.holdout: of {} held-out pictures, {} are among those of training too, pixel for pixel, and {} nearly; the first: {} and "
        "{}; the loss on held-out images is too good by that",
        parts.at(1)->size(), found.copies_across, found.near_across, name_of(parts, pair.first), name_of(parts, pair.second));
}

Tile pair_tile(const Parts& parts, const PictureOf& picture) {
    const Dataset& part = *parts[picture.part];
    Image image = make_image(static_cast<int>(part.width()), static_cast<int>(part.height()), static_cast<int>(part.channels()));
    part.read_as_it_is(picture.index, image.pixels.data());
    constexpr int readable_side = 96;
    return {enlarge(image, std::max(1, readable_side / std::max(image.width, image.height))), {name_of(parts, picture)}};
}

Image sheet_of(const Duplicates& found, const Parts& parts) {
    std::vector<TileRow> rows;
    for (const DuplicatePair& pair : found.pairs)
        rows.push_back({likeness(pair), {pair_tile(parts, pair.first), pair_tile(parts, pair.second)}});
    return draw_tiles("Pictures that are there twice", rows);
}

}  // namespace

void report_duplicates(const Config& config, const std::shared_ptr<const Dataset>& dataset, int threads,
                       const std::filesystem::path& sheet) {
    Split split;
    if (held_out_count(dataset->size(), config.dataset.holdout) > 0)
        split = split_dataset(dataset, config.dataset.holdout, static_cast<uint64_t>(config.seed));
    const Parts parts = split.training ? Parts{split.training.get(), split.held_out.get()} : Parts{dataset.get()};
    const Duplicates found = find_duplicates(parts, kListed, worker_count(config.dataset, threads));
    std::fputs(text_of(found, parts).c_str(), stdout);
    warn_of_held_out(found, parts);
    if (sheet.empty()) return;
    if (found.pairs.empty()) {
        spdlog::info("no picture is there twice, so {} is not written", sheet.string());
        return;
    }
    write_png(sheet, sheet_of(found, parts), software_text());
    spdlog::info("wrote {}", sheet.string());
}

}  // namespace ddpm::cli
