#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ddpm/tensorfile/zip.h"

namespace ddpm {

namespace tensorfile {
class ZipStream;
}

// An array of a file that numpy.savez wrote.
struct NpzArray {
    std::string name;   // "arr_0"
    std::string descr;  // NumPy's name of its dtype: "<f8", "|u1"; "structured" for a list of fields
    bool fortran_order = false;
    std::vector<int64_t> shape;
    uint64_t item = 0;  // bytes of an element: 0 for objects (a pickle, which is not run) and fields

    int64_t count() const;  // of elements
    // "float64 2048x2048", "bytes 50000x32x32x3"
    std::string words() const;
};

// Reads the arrays of an .npz file, stored (numpy.savez) or deflated (numpy.savez_compressed). A file is a user_error that begins
// with its name if it is no sound zip archive, or if an array in it is none of NumPy's or does not have the bytes of its shape.
// Nothing of an array is read before it is asked for.
class NpzFile {
public:
    explicit NpzFile(const std::filesystem::path& path);
    NpzFile(ReadBytes read, uint64_t file_size, std::string source);
    ~NpzFile();
    NpzFile(NpzFile&&) noexcept;
    NpzFile& operator=(NpzFile&&) noexcept;

    const std::vector<NpzArray>& arrays() const { return arrays_; }  // in the order of the file
    const NpzArray* find(const std::string& name) const;             // nullptr if there is none
    const std::string& source() const { return source_; }

    // Returns `count` bytes of an array at byte `offset` of it, little-endian as the file has them. Of a deflated array it goes fast
    // only forward. An array that is read from its first byte to its last in order is verified by its checksum.
    std::string read(const NpzArray& array, uint64_t offset, uint64_t count);

private:
    void read_heads(uint64_t file_size);

    ReadBytes read_;
    std::string source_;
    std::vector<NpzArray> arrays_;
    std::vector<ZipEntry> entries_;  // of each array
    std::vector<uint64_t> heads_;    // bytes before the numbers of each array
    size_t open_ = 0;                // the array that stream_ reads
    std::unique_ptr<tensorfile::ZipStream> stream_;
};

}  // namespace ddpm
