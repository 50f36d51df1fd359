// Fuzzes what looks into a TorchScript file before it is loaded.

#include "ddpm/tensorfile/script_archive.h"
#include "fuzz/fuzz.h"

using namespace ddpm;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view file = fuzz::view(data, size);
    const ReadBytes read = [&](uint64_t offset, uint64_t count) {
        fuzz::require(offset <= size && count <= size - offset, "only what lies in the file is read");
        return std::string(file.substr(offset, count));
    };
    if (!fuzz::takes([&] { check_script_archive(read, size, "fuzz"); })) return 0;
    for (const ZipEntry& entry : read_zip_directory(read, size, "fuzz", true))
        fuzz::require(entry.deflated || file.substr(entry.begin, entry.size).find("__setstate__") == file.npos,
                      "no stored entry of an accepted file has __setstate__");
    return 0;
}
