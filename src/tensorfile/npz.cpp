// A zip archive without compression (APPNOTE 4.3): local headers with their data, then the central directory.

#include "ddpm/tensorfile/npz.h"

#include <concepts>

#include <spdlog/fmt/fmt.h>
#include <zlib.h>

#include "ddpm/core/error.h"

namespace ddpm {

namespace {

// Little-endian.
template <std::integral Number>
void add(std::string& out, Number value) {
    for (size_t i = 0; i < sizeof value; ++i) out.push_back(static_cast<char>(value >> 8 * i));
}
template <std::integral... Numbers>
void add(std::string& out, Numbers... values) requires(sizeof...(values) > 1) {
    (add(out, values), ...);
}

// Magic, version, and a Python dictionary padded so that the data begins at a multiple of 64.
std::string npy_head(const std::string& descr, const std::vector<int64_t>& shape) {
    std::string dict = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", descr, fmt::join(shape, ", "),
                                   shape.size() == 1 ? "," : "");
    constexpr size_t before = 10;
    dict.append(63 - (before + dict.size()) % 64, ' ').push_back('\n');
    std::string head("\x93NUMPY\1\0", 8);
    add(head, static_cast<uint16_t>(dict.size()));
    return head + dict;
}

std::string end_of_directory(uint64_t entries, uint64_t size, uint64_t offset) {
    std::string out;
    add(out, uint32_t{0x06064B50}, uint64_t{44}, uint16_t{45}, uint16_t{45}, uint32_t{0}, uint32_t{0}, entries, entries, size,
        offset);
    add(out, uint32_t{0x07064B50}, uint32_t{0}, offset + size, uint32_t{1});
    add(out, uint32_t{0x06054B50}, uint16_t{0}, uint16_t{0}, uint16_t{0xFFFF}, uint16_t{0xFFFF}, uint32_t{0xFFFFFFFF},
        uint32_t{0xFFFFFFFF}, uint16_t{0});
    return out;
}

uint32_t checksum(uint32_t crc, std::string_view bytes) {
    return static_cast<uint32_t>(crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

constexpr uint64_t kCrcInLocalHeader = 14;

}  // namespace

// What local header and directory entry share. Sizes stand in a zip64 field of their own; the date is 1 January 1980.
void NpzWriter::add_common(std::string& out, const Entry& entry, uint16_t extra_size) {
    constexpr uint16_t version = 45, flags = 0, stored = 0, time = 0, date = 0x21;
    constexpr uint32_t elsewhere = 0xFFFFFFFF;
    add(out, version, flags, stored, time, date, entry.crc, elsewhere, elsewhere, static_cast<uint16_t>(entry.name.size()),
        extra_size);
}

std::string NpzWriter::local_header(const Entry& entry) {
    std::string out;
    add(out, uint32_t{0x04034B50});
    add_common(out, entry, 20);
    out += entry.name;
    add(out, uint16_t{1}, uint16_t{16}, entry.size, entry.size);
    return out;
}

std::string NpzWriter::directory_entry(const Entry& entry) {
    std::string out;
    add(out, uint32_t{0x02014B50}, uint16_t{45});
    add_common(out, entry, 28);
    add(out, uint16_t{0}, uint16_t{0}, uint16_t{0}, uint32_t{0}, uint32_t{0xFFFFFFFF});
    out += entry.name;
    add(out, uint16_t{1}, uint16_t{24}, entry.size, entry.size, entry.offset);
    return out;
}

NpzWriter::NpzWriter(const fs::path& path) : file_(path), name_(path.string()) {}

void NpzWriter::put(std::string_view bytes) {
    file_.write(bytes.data(), bytes.size());
    position_ += bytes.size();
}

void NpzWriter::begin(const std::string& name, const std::string& descr, const std::vector<int64_t>& shape) {
    end();
    const std::string head = npy_head(descr, shape);
    missing_ = static_cast<uint64_t>(descr.back() - '0');
    for (const int64_t side : shape) missing_ *= static_cast<uint64_t>(side);
    entries_.push_back({name + ".npy", 0, head.size() + missing_, position_});
    put(local_header(entries_.back()));
    missing_ += head.size();
    write(head);
}

void NpzWriter::write(std::string_view bytes) {
    if (bytes.size() > missing_) runtime_failure(name_ + ": more bytes than the array has");
    entries_.back().crc = checksum(entries_.back().crc, bytes);
    put(bytes);
    missing_ -= bytes.size();
}

// The checksum of the array that was begun, which is known only now, goes to where it belongs.
void NpzWriter::end() {
    if (missing_ != 0) runtime_failure(fmt::format("{}: {} bytes of an array are missing", name_, missing_));
    if (entries_.empty()) return;
    std::string crc;
    add(crc, entries_.back().crc);
    file_.overwrite(entries_.back().offset + kCrcInLocalHeader, crc);
}

void NpzWriter::commit() {
    end();
    const uint64_t directory = position_;
    for (const Entry& entry : entries_) put(directory_entry(entry));
    put(end_of_directory(entries_.size(), position_ - directory, directory));
    file_.commit();
}

}  // namespace ddpm
