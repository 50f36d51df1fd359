// The writer makes a zip archive without compression (APPNOTE 4.3): local headers with their data, then the central
// directory.

#include "ddpm/tensorfile/npz.h"

#include <concepts>

#include <spdlog/fmt/fmt.h>
#include <zlib.h>

#include "ddpm/core/files.h"

namespace ddpm {

namespace {

class Bytes {
public:
    template <class Number>
    Bytes& add(Number value)
        requires std::integral<Number>
    {
        for (size_t i = 0; i < sizeof value; ++i) text_.push_back(static_cast<char>(value >> 8 * i));
        return *this;
    }
    Bytes& add(std::string_view text) {
        text_.append(text);
        return *this;
    }
    const std::string& text() const { return text_; }

private:
    std::string text_;
};

// Returns magic, version and a Python dictionary, padded so that the data begins at a multiple of 64.
std::string npy_head(const NpyArray& array) {
    const char* comma = array.shape.size() == 1 ? "," : "";
    std::string dict = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", array.descr,
                                   fmt::join(array.shape, ", "), comma);
    constexpr size_t before = 10;
    dict.append(63 - (before + dict.size()) % 64, ' ').push_back('\n');
    return Bytes().add(std::string_view("\x93NUMPY\1\0", 8)).add(static_cast<uint16_t>(dict.size())).add(dict).text();
}

struct Entry {
    std::string name;
    uint32_t crc;
    uint64_t size, offset;
};

// Adds the fields that a local header and a directory entry share. A zip64 field holds the sizes; the date is 1 January
// 1980.
void add_common(Bytes& out, const Entry& entry, uint16_t extra_size) {
    constexpr uint16_t version = 45, flags = 0, stored = 0, time = 0, date = 0x21;
    constexpr uint32_t in_zip64 = 0xFFFFFFFF;
    out.add(version).add(flags).add(stored).add(time).add(date).add(entry.crc).add(in_zip64).add(in_zip64);
    out.add(static_cast<uint16_t>(entry.name.size())).add(extra_size);
}

std::string local_header(const Entry& entry) {
    Bytes out;
    out.add(uint32_t{0x04034B50});
    add_common(out, entry, 20);
    out.add(entry.name).add(uint16_t{1}).add(uint16_t{16}).add(entry.size).add(entry.size);
    return out.text();
}

std::string directory_entry(const Entry& entry) {
    Bytes out;
    out.add(uint32_t{0x02014B50}).add(uint16_t{45});
    add_common(out, entry, 28);
    out.add(uint16_t{0}).add(uint16_t{0}).add(uint16_t{0}).add(uint32_t{0}).add(uint32_t{0xFFFFFFFF});
    out.add(entry.name).add(uint16_t{1}).add(uint16_t{24}).add(entry.size).add(entry.size).add(entry.offset);
    return out.text();
}

std::string end_of_directory(uint64_t entries, uint64_t size, uint64_t offset) {
    Bytes out;
    out.add(uint32_t{0x06064B50}).add(uint64_t{44}).add(uint16_t{45}).add(uint16_t{45}).add(uint32_t{0}).add(uint32_t{0});
    out.add(entries).add(entries).add(size).add(offset);
    out.add(uint32_t{0x07064B50}).add(uint32_t{0}).add(offset + size).add(uint32_t{1});
    out.add(uint32_t{0x06054B50}).add(uint16_t{0}).add(uint16_t{0}).add(uint16_t{0xFFFF}).add(uint16_t{0xFFFF});
    out.add(uint32_t{0xFFFFFFFF}).add(uint32_t{0xFFFFFFFF}).add(uint16_t{0});
    return out.text();
}

uint32_t checksum(uint32_t crc, std::string_view bytes) {
    return static_cast<uint32_t>(crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace

void write_npz(const fs::path& path, const std::vector<NpyArray>& arrays) {
    FileWriter file(path);
    uint64_t position = 0;
    const auto put = [&](std::string_view bytes) {
        file.write(bytes.data(), bytes.size());
        position += bytes.size();
    };
    std::vector<Entry> entries;
    for (const NpyArray& array : arrays) {
        const std::string head = npy_head(array);
        const Entry entry{array.name + ".npy", checksum(checksum(0, head), array.bytes), head.size() + array.bytes.size(),
                          position};
        put(local_header(entry));
        put(head);
        put(array.bytes);
        entries.push_back(entry);
    }
    const uint64_t directory = position;
    for (const Entry& entry : entries) put(directory_entry(entry));
    put(end_of_directory(entries.size(), position - directory, directory));
    file.commit();
}

}  // namespace ddpm
