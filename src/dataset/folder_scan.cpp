#include "dataset/folder_scan.h"

#include <algorithm>
#include <set>
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "dataset/entry_kind.h"
#include "dataset/folder_walk.h"
#include "dataset/framing.h"
#include "dataset/kinds.h"
#include "dataset/parallel.h"
#include "ddpm/core/error.h"
#include "ddpm/core/file_kind.h"
#include "ddpm/core/normal_form.h"
#include "ddpm/core/text.h"

namespace ddpm::dataset {

namespace {

using Why = LeftOut::Why;

constexpr const char* kFormats = "PNG, JPEG, BMP, GIF, PPM, PGM and TGA";

void sort_left_out(std::vector<LeftOut>& all) {
    std::sort(all.begin(), all.end(),
              [](const LeftOut& a, const LeftOut& b) { return std::tie(a.why, a.path) < std::tie(b.why, b.path); });
}

// The name of the folder directly in the root that a path lies in or is; empty for a file directly in the root.
std::string first_folder(const fs::path& path, const fs::path& root, bool is_folder) {
    const fs::path relative = path.lexically_relative(root);
    return is_folder || relative.has_parent_path() ? relative.begin()->string() : "";
}

// Pictures that this program has made are trained on only where they are all that is there.
void settle_drawn_here(FolderScan& scan, const std::vector<PictureFile>& is_made_by_ddpm) {
    scan.is_made_by_ddpm = scan.pictures.empty() && !is_made_by_ddpm.empty();
    if (!scan.is_made_by_ddpm) return;
    scan.pictures = is_made_by_ddpm;
    std::erase_if(scan.left_out, [](const LeftOut& item) { return item.why == Why::is_made_by_ddpm; });
}

// Names of links directly in the root in whose place a class may have been.
void add_links_for_classes(FolderScan& scan, const FolderWalk& walk, const fs::path& root) {
    const auto add = [&](const fs::path& path) {
        const fs::path relative = path.lexically_relative(root);
        if (!relative.has_parent_path() && !is_hidden(relative)) scan.subfolders.push_back(relative.string());
    };
    for (const fs::path& link : walk.repeated) add(link);
    for (const fs::path& path : walk.others)
        if (is_dangling_link(path) && !is_picture_name(path.filename().string())) add(path);
    std::sort(scan.subfolders.begin(), scan.subfolders.end());
}

// A pipeline among pictures is no reason to leave them out.
void add_products(FolderScan& scan, const std::vector<fs::path>& products) {
    for (const fs::path& product : products) {
        const std::string below = product.string() + "/";
        if (std::any_of(scan.pictures.begin(), scan.pictures.end(),
                        [&](const PictureFile& picture) { return picture.path.native().starts_with(below); }))
            continue;
        scan.left_out.push_back({Why::product, product.string(), product.string() + ": holds a pipeline, or samples in one file"});
    }
}

void check_is_folder(const DatasetOptions& options) {
    refuse_file_for_folder(options);
    const fs::path root(options.path);
    if (is_folder(root)) return;
    user_error(fmt::format("{}: no such folder; dataset.path is the folder with the pictures, relative to the working directory",
                           one_line(options.path)),
               advice_for_missing(root));
}

}  // namespace

FolderScan scan_folder(const DatasetOptions& options, int threads) {
    check_is_folder(options);
    const fs::path root(options.path);
    FolderWalk walk = walk_folder(root);
    std::vector<EntryKind> kinds(walk.files.size());
    parallel_for(static_cast<int64_t>(kinds.size()), threads, "looking at files", [&](int64_t index) {
        const fs::path& file = walk.files[static_cast<size_t>(index)];
        kinds[static_cast<size_t>(index)] = kind_of_file(file, is_hidden(file.lexically_relative(root)), options);
    });

    FolderScan scan;
    std::vector<PictureFile> is_made_by_ddpm;
    for (size_t i = 0; i < kinds.size(); ++i) {
        const fs::path& file = walk.files[i];
        EntryKind& kind = kinds[i];
        if (kind.left_out) {
            if (kind.left_out->why == Why::is_made_by_ddpm) is_made_by_ddpm.push_back({file, -1, *kind.picture});
            scan.left_out.push_back(std::move(*kind.left_out));
        } else if (kind.picture) {
            scan.pictures.push_back({file, -1, *kind.picture});
        } else if (is_hidden(file.lexically_relative(root))) {
            ++scan.hidden;
        } else {
            ++scan.others[extension_of(file)];
        }
    }
    for (const fs::path& path : walk.others)
        if (auto item = kind_of_other(path, is_hidden(path.lexically_relative(root)))) scan.left_out.push_back(std::move(*item));
    for (const fs::path& link : walk.repeated)
        scan.left_out.push_back({Why::repeated, link.string(),
                                 link.string() + ": a link to a folder that is looked through already, or that this one lies in"});
    for (const fs::path& run : walk.runs)
        scan.left_out.push_back({Why::run, run.string(), run.string() + ": a run of this program"});
    scan.subfolders = std::move(walk.subfolders);
    add_links_for_classes(scan, walk, root);
    settle_drawn_here(scan, is_made_by_ddpm);
    add_products(scan, walk.products);
    sort_left_out(scan.left_out);
    refuse_left_out(scan.left_out, options);
    return scan;
}

void leave_out_unreadable(FolderScan& scan, const std::vector<std::string>& reasons) {
    std::vector<PictureFile> readable;
    for (size_t i = 0; i < reasons.size(); ++i) {
        if (reasons[i].empty())
            readable.push_back(std::move(scan.pictures[i]));
        else
            scan.left_out.push_back({Why::unreadable, scan.pictures[i].path.string(), reasons[i]});
    }
    scan.pictures = std::move(readable);
    sort_left_out(scan.left_out);
}

std::vector<std::vector<size_t>> pictures_by_folder(const FolderScan& scan, const DatasetOptions& options) {
    const fs::path root(options.path);
    std::map<std::string, std::vector<size_t>> folders;
    for (size_t i = 0; i < scan.pictures.size(); ++i) folders[first_folder(scan.pictures[i].path, root, false)].push_back(i);
    if (folders.size() == 1 && folders.contains("")) return {};
    std::vector<std::vector<size_t>> pictures;
    for (auto& [name, indices] : folders) pictures.push_back(std::move(indices));
    return pictures;
}

void label_pictures(FolderScan& scan, const DatasetOptions& options) {
    const fs::path root(options.path);
    std::vector<std::string> folders;
    for (const PictureFile& picture : scan.pictures) {
        folders.push_back(first_folder(picture.path, root, false));
        if (folders.back().empty()) return;
    }
    const std::set<std::string> classes(folders.begin(), folders.end());
    for (const std::string& name : classes) scan.class_names.push_back(text_of_name(name));
    for (size_t i = 0; i < folders.size(); ++i) scan.pictures[i].label = std::distance(classes.begin(), classes.find(folders[i]));

    // What this program has left there makes no class of a folder.
    std::set<std::string> own;
    for (const LeftOut& item : scan.left_out)
        if (!is_refused(item)) own.insert(first_folder(item.path, root, item.why == Why::run || item.why == Why::product));
    for (const std::string& name : scan.subfolders) {
        if (classes.contains(name) || own.contains(name)) continue;
        scan.empty_classes.push_back(text_of_name(name));
        const std::string path = (root / name).string();
        // A link is told of already.
        if (std::any_of(scan.left_out.begin(), scan.left_out.end(), [&](const LeftOut& item) { return item.path == path; }))
            continue;
        scan.left_out.push_back({Why::empty_class, path, path + ": a subfolder without a picture that can be trained on"});
    }
    sort_left_out(scan.left_out);
    refuse_left_out(scan.left_out, options);
}

void no_pictures(const DatasetOptions& options, const FolderScan& scan) {
    const auto unreadable = [](const LeftOut& item) { return item.why == Why::unreadable || item.why == Why::other_format; };
    const auto first = std::find_if(scan.left_out.begin(), scan.left_out.end(), unreadable);
    const auto only_hidden = [](const LeftOut& item) { return item.why == Why::hidden; };
    std::string instead;
    if (first != scan.left_out.end())
        instead = fmt::format("{} can't be read, the first is {}",
                              std::count_if(scan.left_out.begin(), scan.left_out.end(), unreadable), one_line(first->reason));
    else if (!scan.left_out.empty() &&
             (!scan.others.empty() || !std::all_of(scan.left_out.begin(), scan.left_out.end(), only_hidden)))
        instead = count_left_out(scan.left_out);
    else if (!scan.others.empty())
        instead = fmt::format("files of other kinds, such as {}",
                              scan.others.begin()->first.empty() ? "ones without extension" : scan.others.begin()->first);
    else
        instead = scan.hidden > 0 || !scan.left_out.empty() ? "hidden files only" : "it is empty";
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
