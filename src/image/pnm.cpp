// PPM and PGM, plain (P2, P3) and binary (P5, P6), with 8 or 16 bits and any largest value.

#include <limits>

#include <spdlog/fmt/fmt.h>

#include "formats.h"

namespace ddpm::image {

namespace {

bool is_space(int c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

class Reader {
public:
    explicit Reader(const Source& source) : source_(source) {}

    // Reads the next decimal number, after white space and comments.
    uint32_t number() {
        int c = source_.u8(at_);
        while (is_space(c) || c == '#') {
            if (c == '#')
                while (source_.u8(at_) != '\n') ++at_;
            c = source_.u8(++at_);
        }
        if (c < '0' || c > '9') source_.broken(fmt::format("damaged PPM/PGM: no number at byte {}", at_));
        uint64_t value = 0;
        for (; at_ < source_.bytes.size() && source_.bytes[at_] >= '0' && source_.bytes[at_] <= '9'; ++at_) {
            value = value * 10 + static_cast<uint64_t>(source_.bytes[at_] - '0');
            if (value > std::numeric_limits<int32_t>::max())
                source_.broken(fmt::format("damaged PPM/PGM: a number too large at byte {}", at_));
        }
        return static_cast<uint32_t>(value);
    }

    size_t position() const { return at_; }

private:
    const Source& source_;
    size_t at_ = 2;
};

struct PnmHeader {
    uint32_t width, height, largest;
    int channels;
    bool plain;
    size_t pixels;  // where they begin
};

PnmHeader read_header(const Source& source) {
    Reader reader(source);
    PnmHeader header{};
    header.width = reader.number();
    header.height = reader.number();
    header.largest = reader.number();
    const char kind = source.bytes[1];
    header.channels = kind == '3' || kind == '6' ? 3 : 1;
    header.plain = kind <= '3';
    header.pixels = reader.position() + 1;
    if (header.width < 1 || header.height < 1 || header.largest < 1 || header.largest > 65535)
        source.broken(fmt::format("damaged PPM/PGM: {}x{} with values up to {}", header.width, header.height, header.largest));
    return header;
}

}  // namespace

bool is_pnm(const Source& source) {
    return source.bytes.size() >= 3 && source.bytes[0] == 'P' &&
           std::string_view("2356").find(source.bytes[1]) != std::string_view::npos &&
           (is_space(source.bytes[2]) || source.bytes[2] == '#');
}

ImageHeader probe_pnm(const Source& source) {
    const PnmHeader pnm = read_header(source);
    ImageHeader header;
    header.width = static_cast<int>(pnm.width);
    header.height = static_cast<int>(pnm.height);
    header.channels = pnm.channels;
    header.bits = pnm.largest > 255 ? 16 : 8;
    return header;
}

Image decode_pnm(const Source& source, const ImageHeader& header) {
    const PnmHeader pnm = read_header(source);
    const uint64_t count = static_cast<uint64_t>(pnm.width) * pnm.height * pnm.channels;
    const int bytes_each = pnm.largest > 255 ? 2 : 1;
    // A plain value takes at least a digit and a separator.
    source.expect_size(pnm.pixels + (pnm.plain ? 2 * count - 1 : count * bytes_each));
    Image image = make_image(header.width, header.height, header.channels);
    Reader plain(source);
    if (pnm.plain)
        for (int skipped = 0; skipped < 3; ++skipped) plain.number();
    size_t at = pnm.pixels;
    for (uint8_t& pixel : image.pixels) {
        uint32_t value;
        if (pnm.plain) {
            value = plain.number();
        } else {
            value = source.u8(at++);
            if (bytes_each == 2) value = value << 8 | source.u8(at++);
        }
        if (value > pnm.largest) source.broken(fmt::format("damaged PPM/PGM: value {}, expected at most {}", value, pnm.largest));
        pixel = static_cast<uint8_t>((value * 255 + pnm.largest / 2) / pnm.largest);
    }
    return image;
}

}  // namespace ddpm::image
