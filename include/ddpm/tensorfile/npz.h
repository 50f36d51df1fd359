#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace ddpm {

// One array of an .npz file, as NumPy's format 1.0 describes it.
struct NpyArray {
    std::string name;            // "arr_0"
    std::string descr;           // "|u1", "<i8", "<f4"
    std::vector<int64_t> shape;  // C order
    std::string_view bytes;      // little-endian, as many as shape and descr say
};

// What numpy.savez writes: an uncompressed zip archive of NAME.npy, with 64-bit sizes throughout. numpy.load reads it, and
// so does the evaluator of guided-diffusion. The file appears whole or not at all.
void write_npz(const std::filesystem::path& path, const std::vector<NpyArray>& arrays);

}  // namespace ddpm
