#pragma once

// Reads event files of TensorBoard as its readers do, apart from the code under test: the checksum a bit at a time, the messages
// field by field.

#include <bit>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "ddpm/core/files.h"

namespace ddpm::test {

inline uint32_t slow_crc32c(std::string_view bytes) {
    uint32_t crc = ~0u;
    for (const char byte : bytes) {
        crc ^= static_cast<uint8_t>(byte);
        for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82F63B78 : crc >> 1;
    }
    return ~crc;
}

inline uint64_t number_at(std::string_view bytes, size_t count) {
    uint64_t number = 0;
    for (size_t i = 0; i < count; ++i) number |= uint64_t{static_cast<uint8_t>(bytes.at(i))} << (8 * i);
    return number;
}

// A message's fields in their order: numbers as they are, strings and messages as bytes.
struct ProtoField {
    uint64_t field = 0, number = 0;
    std::string bytes;
};
inline std::vector<ProtoField> proto_fields(std::string_view message) {
    const auto varint = [&message] {
        uint64_t value = 0;
        for (int shift = 0;; shift += 7) {
            const auto byte = static_cast<uint8_t>(message.at(0));
            message.remove_prefix(1);
            value |= uint64_t{byte & 0x7Fu} << shift;
            if (byte < 0x80) return value;
        }
    };
    std::vector<ProtoField> fields;
    while (!message.empty()) {
        const uint64_t key = varint();
        ProtoField field{key >> 3, 0, ""};
        if (key % 8 == 0) {
            field.number = varint();
        } else if (key % 8 == 2) {
            const uint64_t size = varint();
            if (size > message.size()) throw std::runtime_error("a field that is longer than its message");
            field.bytes = message.substr(0, size);
            message.remove_prefix(size);
        } else {
            const size_t size = key % 8 == 1 ? 8 : key % 8 == 5 ? 4 : throw std::runtime_error("an unknown kind of field");
            field.number = number_at(message, size);
            message.remove_prefix(size);
        }
        fields.push_back(std::move(field));
    }
    return fields;
}

struct ReadEvent {
    double wall_time = 0;
    int64_t step = 0;
    std::string version;
    bool restarts = false;  // a session log with the status START
    std::map<std::string, float> scalars;
    struct Picture {
        uint64_t height = 0, width = 0, channels = 0;
        std::string png;
    };
    std::map<std::string, Picture> pictures;
};

inline ReadEvent parse_event(std::string_view message) {
    ReadEvent event;
    for (const ProtoField& field : proto_fields(message)) {
        if (field.field == 1) event.wall_time = std::bit_cast<double>(field.number);
        if (field.field == 2) event.step = static_cast<int64_t>(field.number);
        if (field.field == 3) event.version = field.bytes;
        if (field.field == 7) event.restarts = proto_fields(field.bytes).at(0).number == 1;
        if (field.field != 5) continue;
        for (const ProtoField& value : proto_fields(field.bytes)) {
            std::string tag;
            for (const ProtoField& part : proto_fields(value.bytes)) {
                if (part.field == 1) tag = part.bytes;
                if (part.field == 2) event.scalars[tag] = std::bit_cast<float>(static_cast<uint32_t>(part.number));
                if (part.field != 4) continue;
                const std::vector<ProtoField> picture = proto_fields(part.bytes);
                event.pictures[tag] = {picture.at(0).number, picture.at(1).number, picture.at(2).number, picture.at(3).bytes};
            }
        }
    }
    return event;
}

// Returns the events up to the first record that is not whole.
inline std::vector<ReadEvent> read_events(const std::filesystem::path& file) {
    const auto is_masked = [](std::string_view bytes, uint64_t sum) {
        return sum == static_cast<uint32_t>(std::rotr(slow_crc32c(bytes), 15) + 0xA282EAD8);
    };
    const std::string all = read_file(file, 1u << 30);
    std::string_view text = all;
    std::vector<ReadEvent> events;
    while (text.size() >= 16) {
        const uint64_t length = number_at(text, 8);
        if (!is_masked(text.substr(0, 8), number_at(text.substr(8), 4)) || text.size() - 16 < length) break;
        const std::string_view message = text.substr(12, length);
        if (!is_masked(message, number_at(text.substr(12 + length), 4))) break;
        events.push_back(parse_event(message));
        text.remove_prefix(16 + length);
    }
    return events;
}

}  // namespace ddpm::test
