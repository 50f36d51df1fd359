// Pictures that say how the camera was held are seen upright, whatever format and whatever place says it.

#include <functional>

#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>
#include <zlib.h>

#include "ddpm/core/files.h"
#include "ddpm/image/codec.h"
#include "golden.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

using golden::file;

struct Exif {
    int orientation = 1;
    bool little = true;
    int type = 3;  // of the entry: 3 for two bytes, 4 for four
};

std::string number(uint32_t n, int count, bool little) {
    std::string text;
    for (int i = 0; i < count; ++i) text += static_cast<char>(n >> 8 * (little ? i : count - 1 - i));
    return text;
}

// A block of EXIF with a width and an orientation (EXIF 2.32, 4.6).
std::string block(const Exif& exif) {
    const auto put = [&](uint32_t n, int count) { return number(n, count, exif.little); };
    const std::string entry = put(0x0100, 2) + put(4, 2) + put(1, 4) + put(99, 4);
    const auto value = static_cast<uint32_t>(exif.orientation);
    return (exif.little ? "II" : "MM") + put(42, 2) + put(8, 4) + put(2, 2) + entry + put(0x0112, 2) + put(exif.type, 2) +
           put(1, 4) + (exif.type == 3 ? put(value, 2) + put(0, 2) : put(value, 4)) + put(0, 4);
}

const std::string kMark("Exif\0\0", 6);

std::string jpeg_with(const std::string& exif) {
    const std::string jpeg = read_file(file("jpeg_444.jpg"), 100000);
    return jpeg.substr(0, 2) + "\xff\xe1" + number(static_cast<uint32_t>(exif.size()) + 2, 2, false) + exif + jpeg.substr(2);
}

std::string chunk(const std::string& type, const std::string& data) {
    const std::string checked = type + data;
    const uLong sum = crc32_z(0, reinterpret_cast<const Bytef*>(checked.data()), checked.size());
    return number(static_cast<uint32_t>(data.size()), 4, false) + checked + number(static_cast<uint32_t>(sum), 4, false);
}

enum class Place { before_pixels, after_pixels };

std::string png_with(const std::string& chunks, Place place, const std::string& name = "rgb8.png") {
    const std::string png = read_file(file(name), 100000);
    const size_t at = place == Place::before_pixels ? 33 : png.size() - 12;
    return png.substr(0, at) + chunks + png.substr(at);
}

// As ImageMagick writes it: a name, a length, and 36 bytes a line in hexadecimal digits.
std::string raw_profile(const std::string& bytes, const std::string& name = "exif") {
    std::string text = fmt::format("\n{}\n{:8}", name, bytes.size());
    for (size_t i = 0; i < bytes.size(); ++i)
        text += fmt::format("{}{:02x}", i % 36 == 0 ? "\n" : "", static_cast<unsigned char>(bytes[i]));
    return text + "\n";
}

std::string deflated(const std::string& bytes) {
    uLongf size = compressBound(bytes.size());
    std::string out(size, '\0');
    compress(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
    return out.substr(0, size);
}

struct Spot {
    int x, y;
};

// Where the stored picture's (x, y) is seen. The EXIF standard says where row 0 and column 0 are.
Spot seen(int orientation, int x, int y, int right, int bottom) {
    switch (orientation) {
        case 2:  // top, right
            return {right - x, y};
        case 3:  // bottom, right
            return {right - x, bottom - y};
        case 4:  // bottom, left
            return {x, bottom - y};
        case 5:  // left, top
            return {y, x};
        case 6:  // right, top
            return {bottom - y, x};
        case 7:  // right, bottom
            return {bottom - y, right - x};
        case 8:  // left, bottom
            return {y, right - x};
        default:  // top, left
            return {x, y};
    }
}

void expect_upright(const std::string& bytes, const Image& stored, int orientation, const std::string& name) {
    SCOPED_TRACE(fmt::format("{}, orientation {}", name, orientation));
    const Image image = decode_image(bytes, "turned", {.channels = stored.channels});
    const bool transposed = orientation >= 5;
    ASSERT_EQ(image.width, transposed ? stored.height : stored.width);
    ASSERT_EQ(image.height, transposed ? stored.width : stored.height);
    for (int y = 0; y < stored.height; ++y)
        for (int x = 0; x < stored.width; ++x) {
            const Spot spot = seen(orientation, x, y, stored.width - 1, stored.height - 1);
            ASSERT_TRUE(std::equal(stored.at(x, y), stored.at(x, y) + stored.channels, image.at(spot.x, spot.y)));
        }
    const TempFolder folder;
    write_file(folder / "turned", bytes);
    const ImageHeader header = probe_image(folder / "turned");
    EXPECT_EQ(header.width, image.width) << "as decoded";
    EXPECT_EQ(header.height, image.height);
}

TEST(Orientation, IsThatOfExifInEveryPlace) {
    const Image jpeg = read_image(file("jpeg_444.jpg")), png = read_image(file("rgb8.png"));
    const std::string zero(1, '\0');
    for (int orientation = 1; orientation <= 8; ++orientation)
        for (const bool little : {false, true})
            for (const int type : {3, 4}) {
                const std::string exif = block({orientation, little, type});
                const std::string packed = deflated(raw_profile(exif));
                expect_upright(jpeg_with(kMark + exif), jpeg, orientation, "JPEG");
                for (const Place place : {Place::before_pixels, Place::after_pixels}) {
                    const auto expect = [&](const std::string& chunks, const char* name) {
                        expect_upright(png_with(chunks, place), png, orientation, name);
                    };
                    expect(chunk("eXIf", exif), "eXIf");
                    expect(chunk("eXIf", kMark + exif), "eXIf with the mark of a JPEG");
                    expect(chunk("tEXt", "Raw profile type exif" + zero + raw_profile(exif)), "tEXt");
                    expect(chunk("tEXt", "Raw profile type APP1" + zero + raw_profile(exif, "generic profile")), "two words");
                    expect(chunk("zTXt", "Raw profile type exif" + zero + zero + packed), "zTXt");
                    expect(chunk("zTXt", "Raw profile type APP1" + zero + zero + deflated(raw_profile(kMark + exif))), "APP1");
                }
            }
}

TEST(Orientation, TurnsEveryKindOfPng) {
    for (const char* name : {"grey1.png", "grey8.png", "grey_alpha16.png", "palette4_transparent.png", "rgb8_interlaced.png",
                             "rgb16.png", "rgba8.png"}) {
        const Image stored = read_image(file(name), {.channels = 4});
        const std::string turned = png_with(chunk("eXIf", block({6})), Place::after_pixels, name);
        expect_upright(turned, stored, 6, name);
        const TempFolder folder;
        write_file(folder / "x.png", turned);
        EXPECT_EQ(probe_image(folder / "x.png").channels, probe_image(file(name)).channels);
    }
}

TEST(Orientation, TheChunkGoesBeforeTheText) {
    const std::string text = chunk("tEXt", std::string("Raw profile type exif\0", 22) + raw_profile(block({3})));
    for (const int orientation : {1, 6})
        expect_upright(png_with(text + chunk("eXIf", block({orientation})), Place::before_pixels), read_image(file("rgb8.png")),
                       orientation, "both");
    expect_upright(png_with(text + chunk("eXIf", "II"), Place::before_pixels), read_image(file("rgb8.png")), 3, "no tag");
}

TEST(Orientation, WhatMeansNothingTurnsNothing) {
    const Image jpeg = read_image(file("jpeg_444.jpg")), png = read_image(file("rgb8.png"));
    const std::string sound = block({6});
    std::vector<std::string> blocks{"", "II", "MM", "hello", std::string(100, '\0'), std::string(100, '\xff')};
    for (const int orientation : {0, 9, 65535}) blocks.push_back(block({orientation}));
    for (size_t length = 0; length < 32; ++length) blocks.push_back(sound.substr(0, length));
    for (const std::string& exif : blocks) {
        EXPECT_EQ(decode_image(jpeg_with(kMark + exif), "jpeg"), jpeg);
        EXPECT_EQ(decode_image(png_with(chunk("eXIf", exif), Place::before_pixels), "png"), png);
    }
    for (const std::string text : {"", "exif", "\nexif\n 5\nzz", "\nexif\n  12\n494"})
        for (const char* type : {"tEXt", "zTXt"}) {
            const std::string data =
                std::string("Raw profile type exif\0", 22) + (type[0] == 'z' ? std::string(1, '\0') : "") + text;
            EXPECT_EQ(decode_image(png_with(chunk(type, data), Place::before_pixels), "png"), png) << text;
        }
}

// The header of a long file is read without its pixels, and what stands behind them counts.
TEST(Orientation, IsSeenInALongFileToo) {
    Image noise = make_image(600, 200, 3);
    uint32_t state = 1;
    for (uint8_t& byte : noise.pixels) byte = static_cast<uint8_t>((state = state * 1664525 + 1013904223) >> 24);
    const std::string png = encode_png(noise);
    ASSERT_GT(png.size(), size_t{1} << 18);
    const TempFolder folder;
    for (const size_t at : {size_t{33}, png.size() - 12}) {
        write_file(folder / "long.png", std::string(png).insert(at, chunk("eXIf", block({8}))));
        const ImageHeader header = probe_image(folder / "long.png");
        EXPECT_EQ(header.width, 200);
        EXPECT_EQ(header.height, 600);
        EXPECT_EQ(read_image(folder / "long.png").width, 200);
    }
    write_file(folder / "cut.png", png.substr(0, png.size() - 100));
    EXPECT_EQ(probe_image(folder / "cut.png").width, 600);
}

}  // namespace
}  // namespace ddpm
