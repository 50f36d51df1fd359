// Fuzzes an .npz file as statistics and samples are read: the zip archive, deflated or not, and the heads of its arrays.

#include "ddpm/tensorfile/npz_file.h"
#include "fuzz/fuzz.h"

using namespace ddpm;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view bytes = fuzz::view(data, size);
    const ReadBytes read = [&](uint64_t offset, uint64_t count) {
        fuzz::require(offset <= size && count <= size - offset, "only what lies in the file is read");
        return std::string(bytes.substr(offset, count));
    };
    fuzz::takes([&] {
        NpzFile file(read, size, "fuzz");
        fuzz::require(!file.arrays().empty(), "a file without arrays is refused");
        for (const NpzArray& array : file.arrays()) {
            if (array.item == 0) continue;
            const uint64_t whole = static_cast<uint64_t>(array.count()) * array.item;
            fuzz::takes([&] {
                fuzz::require(file.read(array, 0, whole).size() == whole, "as many bytes as the shape says");
                fuzz::require(file.read(array, whole / 2, whole - whole / 2).size() == whole - whole / 2, "from the middle too");
            });
        }
    });
    return 0;
}
