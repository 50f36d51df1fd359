#include "ddpm/report/event_file.h"

#include <array>
#include <bit>

#include "ddpm/core/clock.h"
#include "ddpm/core/files.h"

namespace ddpm {

namespace {

// The table of a crc that is computed a byte at a time, lowest bit first.
constexpr std::array<uint32_t, 256> make_crc_table() {
    constexpr uint32_t polynomial = 0x82F63B78;  // 0x1EDC6F41, its bits reversed
    std::array<uint32_t, 256> table{};
    for (uint32_t byte = 0; byte < 256; ++byte) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? polynomial : 0);
        table[byte] = crc;
    }
    return table;
}
constexpr std::array<uint32_t, 256> kCrcTable = make_crc_table();

template <class Number>
std::string little_endian(Number number) {
    std::string bytes;
    for (size_t i = 0; i < sizeof number; ++i) bytes += static_cast<char>(number >> (8 * i));
    return bytes;
}

// ---- Protocol buffers: a field is a key, which holds its number and kind, and a value.

enum class Wire : uint64_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

std::string varint(uint64_t value) {
    std::string bytes;
    for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
    return bytes + static_cast<char>(value);
}

std::string key(uint64_t field, Wire wire) { return varint(field << 3 | static_cast<uint64_t>(wire)); }
std::string integer_field(uint64_t field, int64_t value) { return key(field, Wire::varint) + varint(static_cast<uint64_t>(value)); }
std::string double_field(uint64_t field, double value) {
    return key(field, Wire::fixed64) + little_endian(std::bit_cast<uint64_t>(value));
}
std::string float_field(uint64_t field, float value) {
    return key(field, Wire::fixed32) + little_endian(std::bit_cast<uint32_t>(value));
}
std::string bytes_field(uint64_t field, std::string_view bytes) {
    return key(field, Wire::bytes) + varint(bytes.size()) + std::string(bytes);
}

// ---- The numbers of the fields, as event.proto and summary.proto have them

constexpr uint64_t kEventTime = 1, kEventStep = 2, kEventVersion = 3, kEventSummary = 5, kEventSession = 7;
constexpr uint64_t kSummaryValue = 1, kValueTag = 1, kValueFloat = 2, kValueImage = 4;
constexpr uint64_t kImageHeight = 1, kImageWidth = 2, kImageChannels = 3, kImagePng = 4;
constexpr uint64_t kSessionStatus = 1;
constexpr int64_t kSessionStart = 1;

std::string summary_event(double wall_time, int64_t step, std::string_view summary) {
    return double_field(kEventTime, wall_time) + integer_field(kEventStep, step) + bytes_field(kEventSummary, summary);
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
    uint32_t crc = 0xFFFFFFFF;
    for (const char byte : bytes) crc = (crc >> 8) ^ kCrcTable[(crc ^ static_cast<uint8_t>(byte)) & 0xFF];
    return ~crc;
}

uint32_t masked_crc32c(std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + 0xA282EAD8; }

std::string event_record(std::string_view event) {
    const std::string length = little_endian(uint64_t{event.size()});
    return length + little_endian(masked_crc32c(length)) + std::string(event) + little_endian(masked_crc32c(event));
}

std::string version_event(double wall_time) {
    return double_field(kEventTime, wall_time) + bytes_field(kEventVersion, "brain.Event:2");
}

std::string restart_event(double wall_time, int64_t step) {
    return double_field(kEventTime, wall_time) + integer_field(kEventStep, step) +
           bytes_field(kEventSession, integer_field(kSessionStatus, kSessionStart));
}

std::string scalars_event(double wall_time, int64_t step, const std::vector<EventScalar>& scalars) {
    std::string summary;
    for (const EventScalar& scalar : scalars)
        summary += bytes_field(kSummaryValue,
                               bytes_field(kValueTag, scalar.tag) + float_field(kValueFloat, static_cast<float>(scalar.value)));
    return summary_event(wall_time, step, summary);
}

std::string image_event(double wall_time, int64_t step, const EventImage& image) {
    const std::string picture = integer_field(kImageHeight, image.height) + integer_field(kImageWidth, image.width) +
                                integer_field(kImageChannels, image.channels) + bytes_field(kImagePng, image.png);
    return summary_event(wall_time, step,
                         bytes_field(kSummaryValue, bytes_field(kValueTag, image.tag) + bytes_field(kValueImage, picture)));
}

EventFile::EventFile(const fs::path& path)
    : file_((write_file(path, event_record(version_event(unix_seconds()))), path), "events") {}

}  // namespace ddpm
