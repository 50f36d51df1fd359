#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ddpm/core/files.h"
#include "ddpm/dataset/options.h"
#include "ddpm/image/image.h"

namespace ddpm {

// A picture as training would see it, without anything random.
struct FramedPicture {
    fs::path file;
    std::string crc32;          // zlib's, of the file's bytes, as eight hexadecimal digits
    int width = 0, height = 0;  // before it was resized
    Image image;                // options.width × options.height, options.channels channels
};

struct FramedPictures {
    std::vector<FramedPicture> pictures;  // at least one; sorted by path
    std::string notes;                    // what looks like a picture in the folder and was left out, on one line; or ""
};

// Reads one picture, or those of a folder and all folders below it, as an image_folder with these options does: decoded, resized to
// cover options.width × options.height and cut to its middle. `options.path`, `crop` and `random_flip` are not looked at. A path that is
// neither, a picture that can't be read and a folder without one that can are user_errors.
FramedPictures read_pictures(const fs::path& path, DatasetOptions options, int threads);

// The crc32 of a file's bytes as eight hexadecimal digits. user_error: it can't be read.
std::string crc32_of_file(const fs::path& path);

}  // namespace ddpm
