#include "dataset/idx.h"

#include <algorithm>
#include <limits>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/file_kind.h"
#include "ddpm/core/text.h"

namespace ddpm::dataset {

uint64_t idx_file_size(std::string_view head) {
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(head[i]); };
    if (head.size() < 4 || byte(0) != 0 || byte(1) != 0 || byte(2) != 8 || byte(3) < 1 || byte(3) > 3) return 0;
    const size_t header = 4 + size_t{4} * byte(3);
    if (head.size() < header) return 0;
    uint64_t size = 1;
    constexpr uint64_t kLargest = std::numeric_limits<int64_t>::max();
    for (size_t at = 4; at < header; at += 4) {
        const uint64_t extent =
            uint64_t{byte(at)} << 24 | uint64_t{byte(at + 1)} << 16 | uint64_t{byte(at + 2)} << 8 | byte(at + 3);
        size = extent > 0 && size > kLargest / extent ? kLargest : size * extent;
    }
    return std::min(kLargest, size + header);
}

IdxArray parse_idx(std::string_view bytes, const std::string& source, int dimensions) {
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
    const size_t header = 4 + 4 * static_cast<size_t>(dimensions);
    expect_kind(bytes, {FileKind::idx, FileKind::text, FileKind::empty}, source, "a file of IDX, as MNIST has");
    if (bytes.size() < 4 || byte(0) != 0 || byte(1) != 0 || byte(2) != 8)
        user_error(source + ": not an IDX file of bytes (it does not begin with 0, 0, 8)");
    if (byte(3) != dimensions)
        user_error(fmt::format("{}: an IDX array with {}, expected {}", source, plural(byte(3), "dimension"), dimensions));
    if (bytes.size() < header) user_error(source + ": cut off within the IDX header");

    IdxArray array;
    int64_t expected = 1;
    for (size_t at = 4; at < header; at += 4) {
        const int64_t extent =
            int64_t{byte(at)} << 24 | int64_t{byte(at + 1)} << 16 | int64_t{byte(at + 2)} << 8 | int64_t{byte(at + 3)};
        if (extent == 0) user_error(source + ": an IDX array with a dimension of 0, expected 1 or more");
        if (expected > std::numeric_limits<int64_t>::max() / extent) user_error(source + ": an IDX array of impossible size");
        expected *= extent;
        array.shape.push_back(extent);
    }
    array.data = bytes.substr(header);
    if (array.data.size() != static_cast<uint64_t>(expected))
        user_error(fmt::format("{}: {} bytes of IDX data, expected {}; the file is cut off or damaged", source, array.data.size(),
                               expected));
    return array;
}

}  // namespace ddpm::dataset
