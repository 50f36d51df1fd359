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
    std::string_view bytes;      // little-endian; shape and descr give their number
};

// Writes the arrays as numpy.savez does, into an uncompressed zip archive of NAME.npy, with 64-bit sizes throughout.
// numpy.load and the evaluator of guided-diffusion read it. The file appears whole or not at all.
void write_npz(const std::filesystem::path& path, const std::vector<NpyArray>& arrays);

}  // namespace ddpm
