// Fuzzes IDX files as mnist reads them, plain or compressed, of pictures or of labels.

#include <algorithm>

#include "dataset/gzip.h"
#include "dataset/idx.h"
#include "fuzz/fuzz.h"

using namespace ddpm;
using namespace ddpm::dataset;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    std::string_view bytes = fuzz::view(data, size);
    std::string unpacked;
    if (is_gzip(bytes)) {
        const bool sound = fuzz::takes([&] {
            const uint64_t limit = std::min<uint64_t>(idx_file_size(gunzip_head(bytes, "fuzz", 16)), 1 << 18);
            unpacked = gunzip(bytes, "fuzz", limit);
            fuzz::require(unpacked.size() <= limit, "gunzip keeps to its limit");
        });
        if (!sound) return 0;
        bytes = unpacked;
    }
    for (const int dimensions : {1, 3}) {
        IdxArray array;
        if (!fuzz::takes([&] { array = parse_idx(bytes, "fuzz", dimensions); })) continue;
        fuzz::require(array.shape.size() == static_cast<size_t>(dimensions), "the dimensions asked for");
        int64_t count = 1;
        for (const int64_t extent : array.shape) count *= extent;
        fuzz::require(array.data.size() == static_cast<size_t>(count), "as much data as the shape says");
        fuzz::require(idx_file_size(bytes.substr(0, 16)) == bytes.size(), "the header tells the size of the file");
    }
    return 0;
}
