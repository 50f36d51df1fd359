#include "ddpm/tensorfile/zip.h"

#include <algorithm>
#include <set>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"

namespace ddpm {

namespace {

// APPNOTE.TXT of PKWARE, 4.3.7 … 4.3.16.
constexpr uint32_t kLocalHeader = 0x04034b50;
constexpr uint32_t kCentralHeader = 0x02014b50;
constexpr uint32_t kEnd = 0x06054b50;
constexpr uint32_t kEnd64 = 0x06064b50;
constexpr uint32_t kEnd64Locator = 0x07064b50;
constexpr uint64_t kLocalSize = 30, kCentralSize = 46, kEndSize = 22, kEnd64Size = 56, kLocatorSize = 20;
constexpr uint64_t kMaxComment = 0xFFFF;
constexpr uint64_t kMaxDirectoryBytes = 64 << 20;
constexpr uint64_t kIn64 = 0xFFFFFFFF;  // in a 32-bit field it says that the zip64 record holds the number
constexpr uint16_t kZip64Extra = 1;
constexpr uint16_t kStored = 0, kDeflated = 8;  // how an entry is compressed
constexpr uint64_t kMostDeflated = 1032;        // bytes of content for each that is stored: deflate gains no more

[[noreturn]] void bad_zip(const std::string& source, const std::string& why) {
    user_error(fmt::format("{}: not a sound zip archive: {}", source, why));
}

// A record that is held whole, with little-endian numbers.
class Record {
public:
    Record(const std::string& bytes, const std::string& source) : bytes_(bytes.begin(), bytes.end()), source_(source) {}

    uint64_t number(uint64_t at, unsigned width) const {
        if (at > bytes_.size() || width > bytes_.size() - at) bad_zip(source_, "a record of its directory is cut off");
        uint64_t value = 0;
        for (unsigned i = 0; i < width; ++i) value |= uint64_t{bytes_[at + i]} << (8 * i);
        return value;
    }
    uint16_t u16(uint64_t at) const { return static_cast<uint16_t>(number(at, 2)); }
    uint32_t u32(uint64_t at) const { return static_cast<uint32_t>(number(at, 4)); }
    uint64_t u64(uint64_t at) const { return number(at, 8); }
    std::string text(uint64_t at, uint64_t count) const {
        if (at > bytes_.size() || count > bytes_.size() - at) bad_zip(source_, "a record of its directory is cut off");
        const auto first = bytes_.begin() + static_cast<std::ptrdiff_t>(at);
        return {first, first + static_cast<std::ptrdiff_t>(count)};
    }
    uint64_t size() const { return bytes_.size(); }

private:
    std::vector<unsigned char> bytes_;
    const std::string& source_;
};

struct Directory {
    uint64_t entries = 0, size = 0, offset = 0;
};

Directory find_directory(const ReadBytes& read, uint64_t file_size, const std::string& source) {
    if (file_size < kEndSize) bad_zip(source, fmt::format("{} bytes are too few", file_size));
    const uint64_t tail_size = std::min(file_size, kEndSize + kMaxComment), tail_begin = file_size - tail_size;
    const Record tail(read(tail_begin, tail_size), source);
    uint64_t at = tail_size - kEndSize;  // of the end record, the last one whose comment ends with the file
    while (tail.u32(at) != kEnd || tail.u16(at + 20) != tail_size - at - kEndSize)
        if (at-- == 0) bad_zip(source, "its directory is missing; was it copied whole?");
    Directory directory{tail.u16(at + 10), tail.u32(at + 12), tail.u32(at + 16)};
    if (tail.u16(at + 4) != 0 && tail.u16(at + 4) != 0xFFFF) bad_zip(source, "it is one of several parts");

    const uint64_t end = tail_begin + at;
    if (end >= kLocatorSize) {
        const Record locator(read(end - kLocatorSize, kLocatorSize), source);
        if (locator.u32(0) == kEnd64Locator) {
            const uint64_t offset = locator.u64(8);
            if (offset > end - kLocatorSize || end - kLocatorSize - offset < kEnd64Size)
                bad_zip(source, fmt::format("its zip64 record at byte {} is not there", offset));
            const Record end64(read(offset, kEnd64Size), source);
            if (end64.u32(0) != kEnd64) bad_zip(source, fmt::format("its zip64 record at byte {} is not there", offset));
            directory = {end64.u64(32), end64.u64(40), end64.u64(48)};
        }
    }
    if (directory.offset > end || directory.size > end - directory.offset)
        bad_zip(source,
                fmt::format("its directory of {} bytes at byte {} reaches beyond the end", directory.size, directory.offset));
    if (directory.size > kMaxDirectoryBytes)
        bad_zip(source, fmt::format("a directory of {} bytes, more than the {} allowed", directory.size, kMaxDirectoryBytes));
    if (directory.entries > directory.size / kCentralSize)
        bad_zip(source, fmt::format("{} entries in a directory of {} bytes", directory.entries, directory.size));
    return directory;
}

// Replaces those `fields` that did not fit into 32 bits. The zip64 field holds their numbers in the same order.
void read_zip64_extra(const Record& directory, uint64_t at, uint64_t size, const std::vector<uint64_t*>& fields,
                      const std::string& name, const std::string& source) {
    const uint64_t end = at + size;
    while (end - at >= 4) {
        const uint16_t id = directory.u16(at);
        const uint64_t length = directory.u16(at + 2);
        at += 4;
        if (length > end - at) break;
        if (id == kZip64Extra) {
            uint64_t next = at;
            for (uint64_t* field : fields) {
                if (*field != kIn64) continue;
                if (next + 8 > at + length) bad_zip(source, fmt::format("the zip64 field of {} is too short", quote(name)));
                *field = directory.u64(next);
                next += 8;
            }
            return;
        }
        at += length;
    }
}

// Returns where an entry's bytes begin, after its own header, which repeats the name and may be padded.
uint64_t data_begin(const ReadBytes& read, uint64_t offset, uint64_t directory_begin, const std::string& name, uint16_t method,
                    const std::string& source) {
    const auto cut_off = [&] { bad_zip(source, fmt::format("the header of {} at byte {} is not there", quote(name), offset)); };
    if (offset > directory_begin || directory_begin - offset < kLocalSize) cut_off();
    const Record header(read(offset, kLocalSize), source);
    if (header.u32(0) != kLocalHeader) cut_off();
    const uint64_t name_size = header.u16(26), extra_size = header.u16(28);
    if (directory_begin - offset - kLocalSize < name_size + extra_size) cut_off();
    if (read(offset + kLocalSize, name_size) != name || header.u16(8) != method)
        bad_zip(source, fmt::format("the header of {} says otherwise than the directory", quote(name)));
    return offset + kLocalSize + name_size + extra_size;
}

void check_apart(std::vector<ZipEntry> entries, const std::string& source) {
    std::sort(entries.begin(), entries.end(),
              [](const ZipEntry& a, const ZipEntry& b) { return std::pair(a.begin, a.size) < std::pair(b.begin, b.size); });
    for (size_t i = 1; i < entries.size(); ++i)
        if (entries[i].begin < entries[i - 1].begin + entries[i - 1].size)
            bad_zip(source, fmt::format("{} and {} overlap", quote(entries[i - 1].name), quote(entries[i].name)));
}

}  // namespace

bool is_zip(std::string_view head) { return head.substr(0, 4) == "PK\x03\x04" || head.substr(0, 4) == "PK\x05\x06"; }

std::vector<std::string> read_zip_names(const ReadBytes& read, uint64_t file_size, const std::string& source) {
    const Directory directory = find_directory(read, file_size, source);
    const Record records(read(directory.offset, directory.size), source);
    std::vector<std::string> names;
    uint64_t at = 0;
    for (uint64_t i = 0; i < directory.entries; ++i) {
        if (records.u32(at) != kCentralHeader) bad_zip(source, fmt::format("entry {} of its directory is not there", i));
        const uint64_t name_size = records.u16(at + 28);
        names.push_back(records.text(at + kCentralSize, name_size));
        at += kCentralSize + name_size + records.u16(at + 30) + records.u16(at + 32);
    }
    return names;
}

std::vector<ZipEntry> read_zip_directory(const ReadBytes& read, uint64_t file_size, const std::string& source, bool may_deflate) {
    const Directory directory = find_directory(read, file_size, source);
    const Record records(read(directory.offset, directory.size), source);
    std::vector<ZipEntry> entries;
    std::set<std::string> names;
    uint64_t at = 0;
    for (uint64_t i = 0; i < directory.entries; ++i) {
        if (records.u32(at) != kCentralHeader) bad_zip(source, fmt::format("entry {} of its directory is not there", i));
        const uint64_t name_size = records.u16(at + 28), extra_size = records.u16(at + 30);
        ZipEntry entry;
        entry.name = records.text(at + kCentralSize, name_size);
        entry.content_size = records.u32(at + 24);
        entry.size = records.u32(at + 20);
        entry.crc = records.u32(at + 16);
        uint64_t offset = records.u32(at + 42);
        const uint64_t extra = at + kCentralSize + name_size;
        records.text(extra, extra_size);  // refuses a field that is cut off
        read_zip64_extra(records, extra, extra_size, {&entry.content_size, &entry.size, &offset}, entry.name, source);
        if ((records.u16(at + 8) & 1) != 0) bad_zip(source, fmt::format("{} is encrypted", quote(entry.name)));
        const uint16_t method = records.u16(at + 10);
        entry.deflated = may_deflate && method == kDeflated;
        if (method != kStored && !entry.deflated)
            bad_zip(source, fmt::format("{} is compressed{}", quote(entry.name),
                                        may_deflate ? ", and not by deflate" : ", which torch.save does not do"));
        if (entry.deflated ? entry.content_size / kMostDeflated > entry.size : entry.size != entry.content_size)
            bad_zip(source,
                    fmt::format("{} has {} bytes and {} of them stored", quote(entry.name), entry.content_size, entry.size));
        if (!names.insert(entry.name).second) bad_zip(source, fmt::format("{} is there twice", quote(entry.name)));
        entry.begin = data_begin(read, offset, directory.offset, entry.name, method, source);
        if (entry.size > directory.offset - entry.begin)
            bad_zip(source, fmt::format("{} of {} bytes reaches into the directory", quote(entry.name), entry.size));
        entries.push_back(std::move(entry));
        at = extra + extra_size + records.u16(at + 32);
    }
    check_apart(entries, source);
    return entries;
}

}  // namespace ddpm
