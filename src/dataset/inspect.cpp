#include "ddpm/dataset/inspect.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "dataset/folder_scan.h"
#include "dataset/parallel.h"
#include "ddpm/image/grid.h"
#include "ddpm/image/transform.h"

namespace ddpm {

namespace {

using Count = DatasetReport::Count;
using Tally = std::map<std::string, int64_t>;

std::vector<Count> most_common_first(const Tally& tally) {
    std::vector<Count> counts;
    for (const auto& [name, count] : tally) counts.push_back({name, count});
    std::stable_sort(counts.begin(), counts.end(), [](const Count& a, const Count& b) { return a.count > b.count; });
    return counts;
}

std::string size_name(const ImageHeader& header) { return fmt::format("{}x{}", header.width, header.height); }

// JPEG has no alpha; its fourth channel is black.
bool has_alpha(const ImageHeader& header) { return header.channels % 2 == 0 && header.format != "JPEG"; }

std::string kind_name(const ImageHeader& header) {
    if (header.channels == 4 && !has_alpha(header)) return "CMYK";
    constexpr const char* names[] = {"grey", "grey + alpha", "RGB", "RGBA"};
    const int channels = std::clamp(header.channels, 1, 4);
    return std::string(names[channels - 1]) + (header.bits > 8 ? fmt::format(" {}-bit", header.bits) : "");
}

// Leaves out pictures whose pixels can't be decoded.
void decode_all(dataset::FolderScan& scan, const DatasetOptions& options, int threads) {
    std::vector<std::string> reasons(scan.pictures.size());
    const DecodeOptions decode = dataset::decode_options(options);
    dataset::parallel_for(static_cast<int64_t>(scan.pictures.size()), threads, "checking pictures", [&](int64_t index) {
        const auto i = static_cast<size_t>(index);
        try {
            read_image(scan.pictures[i].path, decode);
        } catch (const Error& error) {
            reasons[i] = error.what();
        }
    });
    dataset::leave_out_unreadable(scan, reasons);
}

void count_files(DatasetReport& report, const std::vector<dataset::PictureFile>& pictures) {
    Tally sizes, formats, kinds;
    std::vector<const ImageHeader*> by_area;
    for (const dataset::PictureFile& picture : pictures) {
        const ImageHeader& header = picture.header;
        ++sizes[size_name(header)];
        ++formats[header.format];
        ++kinds[kind_name(header)];
        by_area.push_back(&header);
        if (header.width < report.options.width || header.height < report.options.height) ++report.enlarged;
        if (has_alpha(header)) ++report.transparent;
    }
    report.sizes = most_common_first(sizes);
    report.formats = most_common_first(formats);
    report.kinds = most_common_first(kinds);
    std::stable_sort(by_area.begin(), by_area.end(), [](const ImageHeader* a, const ImageHeader* b) {
        return int64_t{a->width} * a->height < int64_t{b->width} * b->height;
    });
    report.smallest = size_name(*by_area.front());
    report.median = size_name(*by_area[(by_area.size() - 1) / 2]);
    report.largest = size_name(*by_area.back());
}

DatasetReport inspect_folder(DatasetOptions options, int threads) {
    const std::string on_broken = std::exchange(options.on_broken, "skip");
    dataset::FolderScan scan = dataset::scan_folder(options, threads);
    decode_all(scan, options, threads);
    if (scan.pictures.empty()) dataset::no_pictures(options, scan);
    dataset::label_pictures(scan, options);

    DatasetReport report;
    report.options = options;
    report.options.on_broken = on_broken;
    report.source = "image_folder " + one_line(options.path);
    report.images = static_cast<int64_t>(scan.pictures.size());
    for (const std::string& name : scan.class_names) report.classes.push_back({name, 0});
    for (const dataset::PictureFile& picture : scan.pictures)
        if (picture.label >= 0) ++report.classes[static_cast<size_t>(picture.label)].count;
    count_files(report, scan.pictures);
    report.bytes = dataset::bytes_when_kept(options, scan.pictures);
    report.kept = dataset::fits_memory(report.bytes, options);
    report.is_made_by_ddpm = scan.is_made_by_ddpm;
    report.left_out = std::move(scan.left_out);
    report.hidden = scan.hidden;
    report.others = most_common_first(scan.others);
    return report;
}

}  // namespace

DatasetReport inspect_dataset(const DatasetOptions& options, uint64_t seed, int threads) {
    check(options);
    if (options.type == "image_folder") return inspect_folder(options, worker_count(options, threads));
    const std::unique_ptr<Dataset> dataset = open_dataset(options, seed, threads);
    DatasetReport report;
    report.options = options;
    report.source = dataset->describe();
    report.images = dataset->size();
    for (const std::string& name : dataset->class_names()) report.classes.push_back({name, 0});
    for (int64_t i = 0; i < dataset->size(); ++i) ++report.classes[static_cast<size_t>(dataset->label(i))].count;
    return report;
}

Image contact_sheet(const Dataset& dataset, int count) {
    const int64_t size = dataset.size();
    std::vector<int64_t> order(static_cast<size_t>(size));
    std::iota(order.begin(), order.end(), int64_t{0});
    RandomStream random(0, Purpose::preview);
    const auto wanted = static_cast<size_t>(std::clamp<int64_t>(count, 1, size));
    for (size_t i = 0; i < wanted; ++i) std::swap(order[i], order[i + random.below(order.size() - i)]);

    const auto width = static_cast<int>(dataset.width()), height = static_cast<int>(dataset.height());
    constexpr int readable_side = 64;
    const int factor = std::max(1, readable_side / std::max(width, height));
    std::vector<Image> tiles;
    for (size_t i = 0; i < wanted; ++i) {
        Image tile = make_image(width, height, static_cast<int>(dataset.channels()));
        RandomStream augmentation(0, Purpose::preview, 1, i);
        dataset.read(order[i], augmentation, tile.pixels.data());
        tiles.push_back(enlarge(tile, factor));
    }
    return make_grid(tiles);
}

}  // namespace ddpm
