#include "png_notes.h"

#include <cctype>
#include <optional>

#include <unistd.h>

#include <zlib.h>

#include "ddpm/core/files.h"
#include "exif.h"

namespace ddpm::image {

namespace {

constexpr size_t kSignatureBytes = 8, kFrame = 12;   // a chunk's length, type and checksum
constexpr size_t kLargestProfile = size_t{1} << 20;  // unpacked; a block of EXIF has at most 64 KiB

// Unpacks a zlib stream; empty where it is damaged or too long.
std::string unpacked(std::string_view packed) {
    std::string bytes(kLargestProfile, '\0');
    uLongf size = bytes.size();
    const int code =
        uncompress(reinterpret_cast<Bytef*>(bytes.data()), &size, reinterpret_cast<const Bytef*>(packed.data()), packed.size());
    bytes.resize(code == Z_OK ? size : 0);
    return bytes;
}

// The bytes of ImageMagick's "\nNAME\n    LENGTH\nHEX DIGITS", in which digits stand on lines; empty for any other text. NAME is
// "exif", "APP1" or "generic profile".
std::string bytes_of_raw_profile(std::string_view text) {
    size_t at = 0;
    const auto skip_line = [&] {
        while (at < text.size() && std::isspace(static_cast<unsigned char>(text[at]))) ++at;
        while (at < text.size() && text[at] != '\n') ++at;
    };
    skip_line();  // the name, below an empty line
    skip_line();  // the length
    std::string bytes;
    int digits = 0, value = 0;
    for (; at < text.size(); ++at) {
        const auto c = static_cast<unsigned char>(text[at]);
        if (std::isspace(c)) continue;
        if (!std::isxdigit(c)) return {};
        value = value * 16 + (std::isdigit(c) ? c - '0' : std::tolower(c) - 'a' + 10);
        if (++digits % 2 == 0) {
            bytes.push_back(static_cast<char>(value));
            value = 0;
        }
    }
    return bytes;
}

// The orientation that a text chunk holds.
std::optional<int> orientation_of_text(std::string_view type, std::string_view data) {
    const size_t end = data.find('\0');
    const std::string_view keyword = data.substr(0, end);
    if (end == data.npos || (keyword != "Raw profile type exif" && keyword != "Raw profile type APP1")) return std::nullopt;
    data.remove_prefix(end + 1);
    if (type == "tEXt") return exif_orientation(bytes_of_raw_profile(data));
    if (data.empty() || data[0] != 0) return std::nullopt;
    return exif_orientation(bytes_of_raw_profile(unpacked(data.substr(1))));
}

}  // namespace

PngNotes read_png_notes(const Source& source) {
    PngNotes notes;
    std::optional<int> by_chunk, by_text;
    bool pixels = false;
    for (size_t at = kSignatureBytes; at + kFrame <= source.bytes.size();) {
        const size_t length = source.big32(at);
        const std::string_view type = source.bytes.substr(at + 4, 4);
        if (type == "IEND" || length > source.bytes.size() - at - kFrame) break;
        const std::string_view data = source.bytes.substr(at + 8, length);
        if (type == "IDAT") pixels = true;
        if (type == "tRNS" && !pixels) notes.transparent_color = true;
        if (type == "eXIf" && !by_chunk) by_chunk = exif_orientation(data);
        if ((type == "tEXt" || type == "zTXt") && !by_text) by_text = orientation_of_text(type, data);
        if (type == "tEXt" && data.starts_with(std::string_view("Software\0ddpm ", 14))) notes.is_made_by_ddpm = true;
        at += kFrame + length;
    }
    notes.orientation = by_chunk ? *by_chunk : by_text.value_or(1);
    return notes;
}

std::string read_png_without_pixels(const std::filesystem::path& path) {
    constexpr size_t kLargestChunk = size_t{1} << 20, kLargest = size_t{16} << 20;
    const Descriptor file = open_to_read(path);
    const auto read = [&](size_t at, size_t count) {
        std::string bytes(count, '\0');
        const ssize_t got = ::pread(file.get(), bytes.data(), count, static_cast<off_t>(at));
        bytes.resize(got < 0 ? 0 : static_cast<size_t>(got));
        return bytes;
    };
    std::string kept = read(0, kSignatureBytes);
    for (size_t at = kSignatureBytes; kept.size() < kLargest;) {
        const std::string head = read(at, 8), name = path.string();
        if (head.size() < 8) break;
        const size_t length = Source{head, name}.big32(0);
        const std::string_view type = std::string_view(head).substr(4);
        if (type != "IDAT" && length <= kLargestChunk) kept += read(at, kFrame + length);
        if (type == "IEND") break;
        at += kFrame + length;
    }
    return kept;
}

}  // namespace ddpm::image
