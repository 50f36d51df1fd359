#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ddpm::test {

inline std::string little(uint64_t value, int width) {
    std::string bytes;
    for (int i = 0; i < width; ++i, value >>= 8) bytes += static_cast<char>(value & 0xFF);
    return bytes;
}

using Files = std::vector<std::pair<std::string, std::string>>;

struct ZipQuirks {
    bool zip64 = false;  // the directory has all numbers in zip64 fields, as in archives beyond 4 GiB
    uint64_t method = 0, flags = 0;
    std::string comment = {};
};

inline std::string joined(std::initializer_list<std::string_view> parts) {
    std::string bytes;
    for (const std::string_view part : parts) bytes += part;
    return bytes;
}

// The checksum of zip archives, bit by bit (polynomial 0xEDB88320).
inline uint32_t slow_crc32(std::string_view bytes) {
    uint32_t crc = ~uint32_t{0};
    for (const char byte : bytes) {
        crc ^= static_cast<unsigned char>(byte);
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
    }
    return ~crc;
}

// Returns a zip archive that stores its files uncompressed.
inline std::string zip_archive(const Files& files, const ZipQuirks& quirks = {}) {
    std::string bytes, directory;
    const auto number = [&](uint64_t value, int width = 4) { return little(quirks.zip64 ? 0xFFFFFFFF : value, width); };
    for (const auto& [name, content] : files) {
        const uint64_t offset = bytes.size(), size = content.size();
        const std::string kind = joined(
            {little(0x14, 2), little(quirks.flags, 2), little(quirks.method, 2), little(0, 4), little(slow_crc32(content), 4)});
        bytes += joined({"PK\x03\x04", kind, little(size, 4), little(size, 4), little(name.size(), 2), little(5, 2), name, "FB\x01",
                         little(0, 2), content});  // five bytes of padding, as torch.save aligns
        const std::string extra =
            quirks.zip64 ? joined({little(1, 2), little(24, 2), little(size, 8), little(size, 8), little(offset, 8)}) : "";
        directory += joined({"PK\x01\x02", little(0x14, 2), kind, number(size), number(size), little(name.size(), 2),
                             little(extra.size(), 2), little(0, 10), number(offset), name, extra});
    }
    const uint64_t begin = bytes.size(), end = begin + directory.size(), count = files.size();
    bytes += directory;
    if (quirks.zip64)
        bytes += joined({"PK\x06\x06", little(44, 8), little(0, 12), little(count, 8), little(count, 8),
                         little(directory.size(), 8), little(begin, 8), "PK\x06\x07", little(0, 4), little(end, 8), little(1, 4)});
    return bytes += joined({"PK\x05\x06", little(0, 4), number(count, 2), number(count, 2), number(directory.size()), number(begin),
                            little(quirks.comment.size(), 2), quirks.comment});
}

// These return pieces of a pickle of protocol 2.
namespace pickle {

inline std::string text(const std::string& value) { return joined({"X", little(value.size(), 4), value}); }
inline std::string integer(int64_t value) { return joined({"\x8a\x08", little(static_cast<uint64_t>(value), 8)}); }
inline std::string global(const std::string& module, const std::string& name) { return joined({"c", module, "\n", name, "\n"}); }
inline std::string sizes(const std::vector<int64_t>& values) {
    std::string bytes = "(";
    for (const int64_t value : values) bytes += integer(value);
    return bytes + "t";
}
inline std::string storage(const std::string& type, const std::string& key, int64_t size) {
    return joined({"(", text("storage"), global("torch", type), text(key), text("cpu"), integer(size), "tQ"});
}
inline std::string tensor(const std::string& stored, int64_t offset, const std::vector<int64_t>& shape,
                          const std::vector<int64_t>& strides) {
    return joined({global("torch._utils", "_rebuild_tensor_v2"), "(", stored, integer(offset), sizes(shape), sizes(strides), "\x89",
                   global("collections", "OrderedDict"), ")RtR"});
}
// "key": value, an entry between "}" and the end of a dictionary.
inline std::string entry(const std::string& key, const std::string& value) { return joined({text(key), value, "s"}); }
// {"w": value}
inline std::string dictionary(const std::string& value) { return joined({"\x80\x02}", text("w"), value, "s."}); }

}  // namespace pickle

}  // namespace ddpm::test
