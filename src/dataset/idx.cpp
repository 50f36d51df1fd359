#include "dataset/idx.h"

#include <limits>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"

namespace ddpm {

IdxArray parse_idx(std::string_view bytes, const std::string& source, int dimensions) {
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
    const size_t header = 4 + 4 * static_cast<size_t>(dimensions);
    if (bytes.size() < 4 || byte(0) != 0 || byte(1) != 0 || byte(2) != 8)
        user_error(source + ": not an IDX file of bytes (it does not begin with 0, 0, 8)");
    if (byte(3) != dimensions)
        user_error(fmt::format("{}: an IDX array with {} dimensions, expected {}", source, byte(3), dimensions));
    if (bytes.size() < header) user_error(source + ": cut off within the IDX header");

    IdxArray array;
    int64_t expected = 1;
    for (size_t at = 4; at < header; at += 4) {
        const int64_t extent =
            int64_t{byte(at)} << 24 | int64_t{byte(at + 1)} << 16 | int64_t{byte(at + 2)} << 8 | int64_t{byte(at + 3)};
        if (extent == 0) user_error(source + ": an IDX array with a dimension of 0, expected 1 or more");
        if (expected > std::numeric_limits<int64_t>::max() / extent)
            user_error(source + ": an IDX array of impossible size");
        expected *= extent;
        array.shape.push_back(extent);
    }
    array.data = bytes.substr(header);
    if (array.data.size() != static_cast<uint64_t>(expected))
        user_error(fmt::format("{}: {} bytes of IDX data, expected {}; the file is cut off or damaged", source,
                               array.data.size(), expected));
    return array;
}

}  // namespace ddpm
