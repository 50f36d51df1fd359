#pragma once

#include <cstdint>
#include <filesystem>

#include "ddpm/eval/features.h"
#include "ddpm/eval/source.h"

namespace ddpm {

// The pictures of an .npz file, as guided-diffusion and `ddpm sample --format npz` write samples: arr_0, uint8 [N, H, W, C], or else the
// only array of that kind, whatever its name.
struct NpzPictures {
    PictureFormat format;
    int64_t total = 0;   // pictures in the file
    ImageSource source;  // `count` of them that are spread evenly, or all of fewer
};

// Opens a file without reading its pictures. Labels in arr_1 are not looked at. Any of these is a user error that begins with the file:
// no sound archive of NumPy, no such array, pictures in floats or as [N, C, H, W], no pictures.
NpzPictures open_npz_pictures(const std::filesystem::path& file, int64_t count);

}  // namespace ddpm
