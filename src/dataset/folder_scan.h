#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ddpm/core/files.h"
#include "ddpm/dataset/left_out.h"
#include "ddpm/dataset/options.h"
#include "ddpm/image/codec.h"

namespace ddpm::dataset {

struct PictureFile {
    fs::path path;
    int64_t label = -1;
    ImageHeader header;
};

// What lies in a folder of pictures, judged by names and headers; no pixel is decoded.
struct FolderScan {
    std::vector<PictureFile> pictures;      // to be trained on: their headers can be read; sorted by path
    std::vector<LeftOut> left_out;          // by kind, then by path
    std::vector<std::string> subfolders;    // names of the folders directly in the root which may be classes, sorted; also links
                                            // there that lead to nothing, or to a folder that is looked through already
    int64_t hidden = 0;                     // hidden files that don't look like pictures
    std::map<std::string, int64_t> others;  // no pictures: how many of each extension
    bool is_made_by_ddpm = false;           // this program has made all pictures, and nothing else is there

    // Set by label_pictures.
    std::vector<std::string> class_names;    // the first-level subfolders, if every picture lies in one
    std::vector<std::string> empty_classes;  // those beside them in which no picture lies
};

// Looks through `options.path` and all folders below it. A path that is no folder is a user_error, and so is what
// dataset.on_broken "error" refuses.
FolderScan scan_folder(const DatasetOptions& options, int threads);

// Pictures that can be read, moved out of those that can't: `reasons` has a text for each of these, and is empty for the
// others.
void leave_out_unreadable(FolderScan& scan, const std::vector<std::string>& reasons);

// Returns the indices of the pictures in each folder directly in the root, and of those in the root itself. Whether each of these can be
// read decides what the classes are. The result is empty if all pictures lie in the root: then there are none.
std::vector<std::vector<size_t>> pictures_by_folder(const FolderScan& scan, const DatasetOptions& options);

// Sets the labels, once it is known which pictures can be read: subfolders without one are no classes, and are left out.
void label_pictures(FolderScan& scan, const DatasetOptions& options);

// The user_error of a folder without a single readable picture, which says what is there instead.
[[noreturn]] void no_pictures(const DatasetOptions& options, const FolderScan& scan);

// Returns the bytes that the pictures take when they are kept in memory, ready to be cropped. fits_memory says whether
// dataset.cache_mb allows that many.
int64_t bytes_when_kept(const DatasetOptions& options, const std::vector<PictureFile>& pictures);
inline bool fits_memory(int64_t bytes, const DatasetOptions& options) { return bytes <= options.cache_mb << 20; }

DecodeOptions decode_options(const DatasetOptions& options);

}  // namespace ddpm::dataset
