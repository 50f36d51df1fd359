#include "ddpm/dataset/pictures.h"

#include <spdlog/fmt/fmt.h>

#include "dataset/fingerprint.h"
#include "dataset/folder_scan.h"
#include "dataset/framing.h"
#include "dataset/parallel.h"
#include "ddpm/core/error.h"
#include "ddpm/core/text.h"

namespace ddpm {

namespace {

FramedPicture read_one(const fs::path& file, const DatasetOptions& options) {
    const dataset::PictureSize frame{options.width, options.height};
    const Image picture = read_image(file, dataset::decode_options(options));
    FramedPicture framed{
        file, crc32_of_file(file), picture.width, picture.height,
        make_image(static_cast<int>(frame.width), static_cast<int>(frame.height), static_cast<int>(options.channels))};
    RandomStream unused(0, Purpose::augmentation);
    dataset::frame_picture(dataset::cover(picture, frame), frame, /*random=*/false, unused, framed.image.pixels.data());
    return framed;
}

}  // namespace

FramedPictures read_pictures(const fs::path& path, DatasetOptions options, int threads) {
    if (!is_folder(path)) return {{read_one(path, options)}, ""};
    options.type = "image_folder";
    options.path = path.string();
    options.on_broken = "skip";
    dataset::FolderScan scan = dataset::scan_folder(options, threads);
    std::vector<FramedPicture> pictures(scan.pictures.size());
    std::vector<std::string> reasons(scan.pictures.size());
    dataset::parallel_for(static_cast<int64_t>(pictures.size()), threads, "reading pictures", [&](int64_t index) {
        const auto i = static_cast<size_t>(index);
        try {
            pictures[i] = read_one(scan.pictures[i].path, options);
        } catch (const Error& error) {
            reasons[i] = error.what();
        }
    });
    dataset::leave_out_unreadable(scan, reasons);
    if (scan.pictures.empty()) dataset::no_pictures(options, scan);
    FramedPictures read;
    for (FramedPicture& picture : pictures)
        if (!picture.image.pixels.empty()) read.pictures.push_back(std::move(picture));
    if (!scan.left_out.empty())
        read.notes = fmt::format("{}: {} taken, left out {}; the first: {}", one_line(options.path),
                                 plural(static_cast<int64_t>(read.pictures.size()), "picture"), count_left_out(scan.left_out),
                                 one_line(scan.left_out.front().reason));
    return read;
}

std::string crc32_of_file(const fs::path& path) {
    constexpr uint64_t limit = uint64_t{1} << 32;
    return fmt::format("{:08x}", dataset::checksum(0, read_file(path, limit)));
}

}  // namespace ddpm
