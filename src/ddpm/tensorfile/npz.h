#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "ddpm/core/files.h"

namespace ddpm {

// What numpy.savez writes: an uncompressed zip archive of NAME.npy, with 64-bit sizes throughout. numpy.load reads it, and
// so does the evaluator of guided-diffusion. Arrays come one after the other, each in pieces, and none is ever in memory as
// a whole. The file appears whole or not at all.
class NpzWriter {
public:
    explicit NpzWriter(const std::filesystem::path& path);

    // Begins an array, as NumPy's format 1.0 describes it. name: "arr_0"; descr: "|u1", "<i8", "<f4"; shape: C order.
    void begin(const std::string& name, const std::string& descr, const std::vector<int64_t>& shape);
    // The next bytes of that array, little-endian.
    void write(std::string_view bytes);
    // runtime_failure: an array has had more or fewer bytes than its shape says.
    void commit();

private:
    struct Entry {
        std::string name;
        uint32_t crc = 0;
        uint64_t size = 0, offset = 0;  // of the .npy file; of its local header in the archive
    };

    static void add_common(std::string& out, const Entry& entry, uint16_t extra_size);
    static std::string local_header(const Entry& entry);
    static std::string directory_entry(const Entry& entry);
    void put(std::string_view bytes);
    void end();

    FileWriter file_;
    std::string name_;
    std::vector<Entry> entries_;
    uint64_t position_ = 0, missing_ = 0;  // bytes written; bytes to come of the array that was begun
};

}  // namespace ddpm
