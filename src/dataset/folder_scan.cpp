#include "dataset/folder_scan.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <set>

#include <spdlog/fmt/fmt.h>

#include "dataset/framing.h"
#include "dataset/parallel.h"

namespace ddpm::dataset {

namespace {

constexpr const char* kFormats = "PNG, JPEG, BMP, GIF, PPM, PGM and TGA";

std::string extension(const fs::path& path) {
    std::string name = path.extension().string();
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    return name;
}

bool begins_like_picture(const fs::path& path) {
    std::array<char, 10> bytes{};
    std::ifstream(path, std::ios::binary).read(bytes.data(), bytes.size());
    const std::string_view start(bytes.data(), bytes.size());
    const auto begins = [&](std::string_view magic) { return start.substr(0, magic.size()) == magic; };
    return begins("\x89PNG\r\n\x1a\n") || begins("\xff\xd8\xff") || begins("GIF87a") || begins("GIF89a") ||
           (begins("BM") && start.substr(6, 4) == std::string_view("\0\0\0\0", 4)) ||
           ((begins("P5") || begins("P6")) && std::isspace(static_cast<unsigned char>(start[2])));
}

bool is_hidden(const fs::path& relative) {
    return std::any_of(relative.begin(), relative.end(), [](const fs::path& part) { return part.native().front() == '.'; });
}

// Sets the labels if every picture lies in a subfolder.
void label_by_subfolder(FolderScan& scan, const fs::path& root) {
    std::vector<std::string> folders;
    for (const PictureFile& picture : scan.pictures) {
        const fs::path relative = picture.path.lexically_relative(root);
        if (!relative.has_parent_path()) return;
        folders.push_back(relative.begin()->string());
    }
    const std::set<std::string> sorted(folders.begin(), folders.end());
    scan.class_names.assign(sorted.begin(), sorted.end());
    for (size_t i = 0; i < folders.size(); ++i) scan.pictures[i].label = std::distance(sorted.begin(), sorted.find(folders[i]));
}

}  // namespace

FolderScan scan_folder(const DatasetOptions& options, int threads) {
    const fs::path root(options.path);
    if (!is_folder(root))
        user_error(fmt::format("{}: {}; dataset.path is the folder with the pictures, relative to the working directory",
                               one_line(options.path), is_present(root) ? "not a folder" : "no such folder"));

    const std::vector<fs::path> files = list_files(root, true);
    enum class Found : uint8_t { picture, broken, hidden, other };
    std::vector<Found> found(files.size());
    std::vector<ImageHeader> headers(files.size());
    std::vector<std::string> reasons(files.size());
    parallel_for(static_cast<int64_t>(files.size()), threads, "looking at files", [&](int64_t index) {
        const auto i = static_cast<size_t>(index);
        if (is_hidden(files[i].lexically_relative(root))) {
            found[i] = Found::hidden;
        } else if (!has_image_extension(files[i]) && !begins_like_picture(files[i])) {
            found[i] = Found::other;
        } else
            try {
                headers[i] = probe_image(files[i]);
                found[i] = Found::picture;
                const int64_t pixels = int64_t{headers[i].width} * headers[i].height;
                if (pixels > options.max_pixels)
                    user_error(fmt::format("{}: {}x{} are {} pixels, more than dataset.max_pixels ({})", files[i].string(),
                                           headers[i].width, headers[i].height, pixels, options.max_pixels));
            } catch (const Error& failure) {
                found[i] = Found::broken;
                reasons[i] = failure.what();
            }
    });

    FolderScan scan;
    for (size_t i = 0; i < files.size(); ++i) switch (found[i]) {
            case Found::picture:
                scan.pictures.push_back({files[i], -1, headers[i]});
                break;
            case Found::broken:
                scan.broken.push_back({files[i].string(), reasons[i]});
                break;
            case Found::hidden:
                ++scan.hidden;
                break;
            case Found::other:
                ++scan.others[extension(files[i])];
                break;
        }
    label_by_subfolder(scan, root);
    return scan;
}

void no_pictures(const DatasetOptions& options, const FolderScan& scan) {
    std::string instead;
    if (!scan.broken.empty())
        instead = fmt::format("{} can't be read, the first is {}", scan.broken.size(), one_line(scan.broken[0].reason));
    else if (!scan.others.empty())
        instead = fmt::format("files of other kinds, such as {}",
                              scan.others.begin()->first.empty() ? "ones without extension" : scan.others.begin()->first);
    else
        instead = scan.hidden > 0 ? "hidden files only" : "it is empty";
    user_error(fmt::format("{}: no readable picture in this folder or below it ({})", one_line(options.path), instead),
               fmt::format("formats that are read: {}", kFormats));
}

int64_t bytes_when_kept(const DatasetOptions& options, const std::vector<PictureFile>& pictures) {
    const PictureSize frame{options.width, options.height};
    int64_t bytes = 0;
    for (const PictureFile& picture : pictures) {
        const PictureSize size =
            options.crop == "random" ? covering_size({picture.header.width, picture.header.height}, frame) : frame;
        bytes += size.width * size.height * options.channels + static_cast<int64_t>(sizeof(Image));
    }
    return bytes;
}

DecodeOptions decode_options(const DatasetOptions& options) {
    DecodeOptions decode;
    decode.channels = static_cast<int>(options.channels);
    decode.background = options.background;
    decode.max_pixels = options.max_pixels;
    return decode;
}

}  // namespace ddpm::dataset
