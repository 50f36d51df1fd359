// PNG's container: chunks, text, and a writer. stb_image decodes the pixels of a PNG that is read.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <utility>

#include <spdlog/fmt/fmt.h>
#include <zlib.h>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"
#include "ddpm/version.h"
#include "exif.h"
#include "formats.h"
#include "png_notes.h"

namespace ddpm {

namespace {

constexpr std::string_view kSignature("\x89PNG\r\n\x1a\n", 8);
constexpr size_t kChunkFrame = 12;  // length, type and checksum
constexpr size_t kMaxKeyword = 79;

uint32_t checksum(std::string_view bytes) {
    return static_cast<uint32_t>(crc32_z(crc32_z(0, nullptr, 0), reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

void append_big32(std::string& out, uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

void append_chunk(std::string& out, std::string_view type, std::string_view data) {
    append_big32(out, static_cast<uint32_t>(data.size()));
    const size_t checked = out.size();
    out.append(type).append(data);
    append_big32(out, checksum(std::string_view(out).substr(checked)));
}

// The five predictors of PNG 9.2: a left, b up, c up-left.
uint8_t predict(int filter, int a, int b, int c) {
    switch (filter) {
        case 1:
            return static_cast<uint8_t>(a);
        case 2:
            return static_cast<uint8_t>(b);
        case 3:
            return static_cast<uint8_t>((a + b) / 2);
        case 4: {
            const int pa = std::abs(b - c), pb = std::abs(a - c), pc = std::abs(a + b - 2 * c);
            return static_cast<uint8_t>(pa <= pb && pa <= pc ? a : pb <= pc ? b : c);
        }
        default:
            return 0;
    }
}

// Returns every row behind its filter, which is the one that leaves the smallest sum of absolute differences (PNG
// 12.8).
std::string filtered_rows(const Image& image) {
    const size_t stride = image.stride(), channels = image.channels;
    std::string rows;
    rows.reserve((stride + 1) * image.height);
    std::string row(stride, '\0'), best(stride, '\0');
    for (int y = 0; y < image.height; ++y) {
        const uint8_t* here = image.at(0, y);
        const uint8_t* above = y > 0 ? image.at(0, y - 1) : nullptr;
        uint64_t best_cost = std::numeric_limits<uint64_t>::max();
        char best_filter = 0;
        for (char filter = 0; filter < 5; ++filter) {
            uint64_t cost = 0;
            for (size_t i = 0; i < stride; ++i) {
                const int a = i >= channels ? here[i - channels] : 0, b = above ? above[i] : 0,
                          c = above && i >= channels ? above[i - channels] : 0;
                const uint8_t rest = static_cast<uint8_t>(here[i] - predict(filter, a, b, c));
                cost += rest < 128 ? rest : 256u - rest;
                row[i] = static_cast<char>(rest);
            }
            if (cost < best_cost) {
                best_cost = cost;
                best_filter = filter;
                best.swap(row);
            }
        }
        rows.push_back(best_filter);
        rows.append(best);
    }
    return rows;
}

bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return (c >= ' ' && c <= '~') || c == '\n'; });
}

void append_text(std::string& out, const std::string& keyword, const std::string& given) {
    const std::string value = as_utf8(given);
    if (keyword.empty() || keyword.size() > kMaxKeyword || !is_ascii(keyword) || keyword.find('\n') != keyword.npos)
        runtime_failure(fmt::format("PNG text: keyword {}, expected 1 to 79 printable ASCII characters", quote(keyword)));
    std::string data = keyword;
    data.push_back('\0');
    // The zeros in an iTXt mean no compression, no language, no translated keyword.
    if (!is_ascii(value)) data.append(4, '\0');
    append_chunk(out, is_ascii(value) ? "tEXt" : "iTXt", data + value);
}

std::string utf8_from_latin1(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto code = static_cast<unsigned char>(c);
        if (code < 0x80) {
            out.push_back(c);
        } else {
            out.push_back(static_cast<char>(0xC0 | code >> 6));
            out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
        }
    }
    return out;
}

// Returns the part of `data` before the next zero byte and removes both from `data`.
std::string_view take_field(std::string_view& data, const image::Source& source, std::string_view chunk) {
    const size_t end = data.find('\0');
    if (end == data.npos) source.broken(fmt::format("damaged PNG: {} chunk without its separator", chunk));
    const std::string_view field = data.substr(0, end);
    data.remove_prefix(end + 1);
    return field;
}

bool depth_fits_colour(int depth, int colour_type) {
    switch (colour_type) {
        case 0:
            return depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
        case 3:
            return depth == 1 || depth == 2 || depth == 4 || depth == 8;
        case 2:
        case 4:
        case 6:
            return depth == 8 || depth == 16;
        default:
            return false;
    }
}

}  // namespace

namespace image {

bool is_png(const Source& source) { return source.bytes.substr(0, kSignature.size()) == kSignature; }

ImageHeader probe_png(const Source& source) {
    constexpr size_t kData = 16;  // after signature, length and type
    source.expect_size(kData + 13);
    if (source.big32(8) != 13 || source.bytes.substr(12, 4) != "IHDR")
        source.broken("damaged PNG: it does not begin with a header chunk");
    const uint32_t width = source.big32(kData), height = source.big32(kData + 4);
    const int depth = source.u8(kData + 8), colour_type = source.u8(kData + 9);
    constexpr uint32_t kLargest = std::numeric_limits<int32_t>::max();
    if (width < 1 || height < 1 || width > kLargest || height > kLargest)
        source.broken(fmt::format("damaged PNG: a size of {}x{}", width, height));
    if (!depth_fits_colour(depth, colour_type))
        source.broken(fmt::format("damaged PNG: {} bits of colour type {}", depth, colour_type));
    ImageHeader header;
    header.width = static_cast<int>(width);
    header.height = static_cast<int>(height);
    header.bits = depth;
    constexpr int kChannels[] = {1, 0, 3, 3, 2, 0, 4};
    header.channels = kChannels[colour_type];
    const PngNotes notes = read_png_notes(source);
    if (notes.transparent_color && header.channels % 2 == 1) ++header.channels;
    if (is_transposed(notes.orientation)) std::swap(header.width, header.height);
    header.is_made_by_ddpm = notes.is_made_by_ddpm;
    return header;
}

std::vector<PngChunk> png_chunks(const Source& source) {
    std::vector<PngChunk> chunks;
    for (size_t at = kSignature.size();;) {
        source.expect_size(at + kChunkFrame);
        const size_t length = source.big32(at);
        source.expect_size(at + kChunkFrame + length);
        const std::string_view type = source.bytes.substr(at + 4, 4);
        if (checksum(source.bytes.substr(at + 4, length + 4)) != source.big32(at + 8 + length))
            source.broken(fmt::format("damaged PNG: wrong checksum in chunk {} at byte {}", quote(type), at));
        chunks.push_back({type, source.bytes.substr(at + 8, length)});
        if (type == "IEND") return chunks;
        at += kChunkFrame + length;
    }
}

namespace {

Image decode_stored(const Source& source, const ImageHeader& header) {
    const std::vector<PngChunk> chunks = png_chunks(source);
    // A capital first letter says that the pixels can't be decoded without the chunk (PNG 5.4).
    for (const PngChunk& chunk : chunks)
        if ((chunk.type[0] & 0x20) == 0 && chunk.type != "IHDR" && chunk.type != "PLTE" && chunk.type != "IDAT" &&
            chunk.type != "IEND")
            source.broken(fmt::format("damaged PNG: an unknown chunk {}", quote(chunk.type)));
    const auto is_empty_data = [](const PngChunk& chunk) { return chunk.type == "IDAT" && chunk.data.empty(); };
    if (std::none_of(chunks.begin(), chunks.end(), is_empty_data)) return decode_with_stb(source, header);
    // An IDAT may be empty (PNG 10.1), but if the first one is, stb_image copies zero bytes to a null pointer.
    std::string png(kSignature);
    for (const PngChunk& chunk : chunks)
        if (!is_empty_data(chunk)) append_chunk(png, chunk.type, chunk.data);
    return decode_with_stb({png, source.name}, header);
}

}  // namespace

Image decode_png(const Source& source, const ImageHeader& header) {
    const int turned = read_png_notes(source).orientation;
    ImageHeader stored = header;
    if (is_transposed(turned)) std::swap(stored.width, stored.height);
    const Image image = decode_stored(source, stored);
    return turned == 1 ? image : upright(image, turned);
}

}  // namespace image

std::string encode_png(const Image& image, const PngText& text) {
    if (image.width < 1 || image.height < 1 || image.channels < 1 || image.channels > 4)
        runtime_failure(fmt::format("encode_png: a picture of {}x{}x{}", image.width, image.height, image.channels));
    std::string png(kSignature);
    std::string header;
    append_big32(header, static_cast<uint32_t>(image.width));
    append_big32(header, static_cast<uint32_t>(image.height));
    constexpr char kColourTypes[] = {0, 4, 2, 6};
    header += {8, kColourTypes[image.channels - 1], 0, 0, 0};
    append_chunk(png, "IHDR", header);
    for (const auto& [keyword, value] : text) append_text(png, keyword, value);

    const std::string rows = filtered_rows(image);
    uLongf size = compressBound(rows.size());
    std::string packed(size, '\0');
    if (compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(rows.data()), rows.size(),
                  Z_DEFAULT_COMPRESSION) != Z_OK)
        runtime_failure("encode_png: zlib failed, most likely for want of memory");
    append_chunk(png, "IDAT", std::string_view(packed).substr(0, size));
    append_chunk(png, "IEND", {});
    return png;
}

void write_png(const fs::path& path, const Image& image, const PngText& text) { write_file(path, encode_png(image, text)); }

PngText software_text() { return {{"Software", std::string("ddpm ") + DDPM_VERSION}}; }

bool is_made_by_ddpm(const fs::path& path) {
    if (!is_file(path)) return false;
    try {
        const PngText text = read_png_text(path);
        return std::any_of(text.begin(), text.end(),
                           [](const auto& entry) { return entry.first == "Software" && entry.second.rfind("ddpm ", 0) == 0; });
    } catch (const Error&) {
        return false;
    }
}

PngText read_png_text(const fs::path& path) { return parse_png_text(read_file(path, uint64_t{1} << 31), path.string()); }

PngText parse_png_text(std::string_view bytes, const std::string& name) {
    const image::Source source{bytes, name};
    if (!image::is_png(source)) source.broken("not a PNG");
    PngText text;
    for (const image::PngChunk& chunk : image::png_chunks(source)) {
        std::string_view data = chunk.data;
        if (chunk.type == "tEXt") {
            const std::string keyword = utf8_from_latin1(take_field(data, source, chunk.type));
            text.emplace_back(keyword, utf8_from_latin1(data));
        } else if (chunk.type == "iTXt") {
            const std::string keyword = utf8_from_latin1(take_field(data, source, chunk.type));
            if (data.size() < 2) source.broken("damaged PNG: iTXt chunk cut short");
            const bool compressed = data[0] != 0;
            data.remove_prefix(2);
            take_field(data, source, chunk.type);  // language
            take_field(data, source, chunk.type);  // translated keyword
            if (!compressed) text.emplace_back(keyword, std::string(data));
        }
    }
    return text;
}

}  // namespace ddpm
