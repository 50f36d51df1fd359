#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ddpm/core/files.h"
#include "ddpm/dataset/inspect.h"
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
    std::vector<PictureFile> pictures;      // those whose headers can be read, sorted by path
    std::vector<BrokenFile> broken;         // pictures by name or by their first bytes that can't be read or are too large
    std::vector<std::string> class_names;   // the first-level subfolders, sorted, if every picture lies in one
    int64_t hidden = 0;                     // files with a leading dot, or in such a folder
    std::map<std::string, int64_t> others;  // files that are no pictures or of unknown formats, counted by extension
};

// Looks at all files in `options.path` and the folders below it. A path that is no folder is a user_error.
FolderScan scan_folder(const DatasetOptions& options, int threads);

// Throws the user_error of a folder without a single readable picture, which says what is there instead.
[[noreturn]] void no_pictures(const DatasetOptions& options, const FolderScan& scan);

// Returns the bytes that the pictures take when they are kept in memory, ready to be cropped. fits_memory says whether
// dataset.cache_mb allows that many.
int64_t bytes_when_kept(const DatasetOptions& options, const std::vector<PictureFile>& pictures);
inline bool fits_memory(int64_t bytes, const DatasetOptions& options) { return bytes <= options.cache_mb << 20; }

DecodeOptions decode_options(const DatasetOptions& options);

}  // namespace ddpm::dataset
