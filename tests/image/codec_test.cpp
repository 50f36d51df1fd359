#include "ddpm/image/codec.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/image/transform.h"
#include "golden.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

using golden::file;
using golden::kHeight;
using golden::kWidth;
using golden::value;

constexpr DecodeOptions kGrey{.channels = 1}, kRgba{.channels = 4};

using Formula = std::function<double(int x, int y, int c)>;

// Compares with `expected`, which is in 0 … 255 and rounded to the nearest.
void expect_pixels(const Image& image, const Formula& expected, int width = kWidth, int height = kHeight) {
    ASSERT_EQ(image.width, width);
    ASSERT_EQ(image.height, height);
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x)
            for (int c = 0; c < image.channels; ++c)
                ASSERT_EQ(image.at(x, y)[c], std::lround(expected(x, y, c))) << "at " << x << ", " << y << ", " << c;
}

double wide(int x, int y, int c) { return (value(x, y, c) << 8 | value(y, x, c + 1)) * 255.0 / 65535.0; }
double opaque(int x, int y, int c) { return c == 3 ? 255 : value(x, y, c); }

TEST(Png, OfEveryGreyDepthIsScaledToTheFullRange) {
    for (const int depth : {1, 2, 4, 8}) {
        const int largest = (1 << depth) - 1;
        expect_pixels(read_image(file(fmt::format("grey{}.png", depth)), kGrey),
                      [&](int x, int y, int) { return (value(x, y, 0) & largest) * 255.0 / largest; });
    }
    expect_pixels(read_image(file("grey16.png"), kGrey), wide);
}

TEST(Png, OfEveryColourTypeIsReadExactly) {
    expect_pixels(read_image(file("rgb8.png")), value);
    expect_pixels(read_image(file("rgb8_interlaced.png")), value);
    expect_pixels(read_image(file("rgb16.png")), wide);
    expect_pixels(read_image(file("rgba8.png"), kRgba), value);
    expect_pixels(read_image(file("rgba16.png"), kRgba), wide);
    expect_pixels(read_image(file("rgb8.png"), kRgba), opaque);
    expect_pixels(read_image(file("grey_alpha8.png"), kRgba), [](int x, int y, int c) { return value(x, y, c == 3 ? 1 : 0); });
    expect_pixels(read_image(file("grey_alpha16.png"), kRgba), [](int x, int y, int c) { return wide(x, y, c == 3 ? 1 : 0); });
    expect_pixels(read_image(file("rgb8_transparent.png"), kRgba),
                  [](int x, int y, int c) { return c == 3 && value(x, y, 0) == value(3, 2, 0) ? 0 : opaque(x, y, c); });
}

TEST(Png, PalettesBecomeTheirColours) {
    for (const int depth : {1, 4, 8}) {
        expect_pixels(read_image(file(fmt::format("palette{}.png", depth))),
                      [&](int x, int y, int c) { return value(value(x, y, 0) & ((1 << depth) - 1), 0, c); });
    }
    expect_pixels(read_image(file("palette4_transparent.png"), kRgba), [](int x, int y, int c) {
        const int index = value(x, y, 0) & 15;
        return c == 3 ? value(index, 1, 0) : value(index, 0, c);
    });
}

TEST(Png, DataMayStandInChunksThatAreEmpty) {
    const std::string png = read_file(file("rgb8.png"), 10000);
    const std::string empty("\0\0\0\0IDAT\x35\xaf\x06\x1e", 12);
    constexpr size_t kAfterHeader = 33;
    EXPECT_EQ(decode_image(std::string(png).insert(kAfterHeader, empty), "x"), decode_image(png, "x"));
    EXPECT_EQ(decode_image(std::string(png).insert(png.size() - 12, empty), "x"), decode_image(png, "x"));
    const std::string end = png.substr(png.size() - 12);
    EXPECT_EQ(error_of([&] { decode_image(png.substr(0, kAfterHeader) + empty + end, "x"); }), "x: damaged PNG: no IDAT");
}

TEST(Png, AlphaIsCompositedOverTheBackground) {
    const std::array<uint8_t, 3> background = {10, 200, 90};
    const Image image = read_image(file("rgba8.png"), {.channels = 3, .background = background});
    expect_pixels(image, [&](int x, int y, int c) {
        const double alpha = value(x, y, 3) / 255.0;
        return alpha * value(x, y, c) + (1 - alpha) * background[c];
    });
    expect_pixels(read_image(file("grey_alpha8.png"), kGrey), [](int x, int y, int) {
        const double alpha = value(x, y, 1) / 255.0;
        return alpha * value(x, y, 0) + (1 - alpha) * 255;
    });
}

TEST(Png, ColourBecomesGreyByLuma) {
    const Image grey = read_image(file("rgb8.png"), kGrey);
    for (int y = 0; y < kHeight; ++y)
        for (int x = 0; x < kWidth; ++x)
            ASSERT_NEAR(*grey.at(x, y), 0.299 * value(x, y, 0) + 0.587 * value(x, y, 1) + 0.114 * value(x, y, 2), 0.51);
}

TEST(Bmp, IsReadExactly) {
    expect_pixels(read_image(file("rgb.bmp")), value);
    expect_pixels(read_image(file("grey.bmp"), kGrey), value);
}

TEST(Bmp, MayStandTopDown) {
    std::string bytes = read_file(file("rgb.bmp"), 10000);
    for (int i = 22; i < 26; ++i) bytes[i] = static_cast<char>(~bytes[i]);  // −height − 1
    bytes[22] = static_cast<char>(bytes[22] + 1);
    expect_pixels(decode_image(bytes, "top down"), [](int x, int y, int c) { return value(x, kHeight - 1 - y, c); });
}

TEST(Gif, GivesItsFirstFrame) { expect_pixels(read_image(file("grey.gif"), kGrey), value); }

TEST(Tga, MayBeginAtTheRight) {
    for (const char* name : {"rgb.tga", "rgba_packed.tga"}) {
        std::string bytes = read_file(file(name), 10000);
        bytes[17] = static_cast<char>(bytes[17] | 0x10);
        expect_pixels(decode_image(bytes, "right.tga", kRgba), [&](int x, int y, int c) {
            return std::string_view(name) == "rgb.tga" ? opaque(kWidth - 1 - x, y, c) : value(kWidth - 1 - x, y, c);
        });
    }
}

TEST(Tga, IsReadExactlyPackedOrNot) {
    expect_pixels(read_image(file("rgb.tga")), value);
    expect_pixels(read_image(file("rgba_packed.tga"), kRgba), value);
    expect_pixels(read_image(file("grey_packed.tga"), kGrey), value);
}

TEST(Pnm, IsReadExactlyPlainOrBinary) {
    expect_pixels(read_image(file("rgb.ppm")), value);
    expect_pixels(read_image(file("grey.pgm"), kGrey), value);
    std::string plain = "P3 # colours\n# by hand\n13 11\n255\n", deep = "P6\n13 11 65535\n", plain_grey = "P2 13 11 9";
    for (int y = 0; y < kHeight; ++y) {
        for (int x = 0; x < kWidth; ++x) {
            plain_grey += fmt::format(" {}", value(x, y, 0) % 10);
            for (int c = 0; c < 3; ++c) {
                plain += std::to_string(value(x, y, c)) + "\n";
                deep += {static_cast<char>(value(x, y, c)), static_cast<char>(value(y, x, c + 1))};
            }
        }
    }
    expect_pixels(decode_image(plain, "plain"), value);
    expect_pixels(decode_image(deep, "deep"), wide);
    expect_pixels(decode_image(plain_grey, "plain grey", kGrey), [](int x, int y, int) { return value(x, y, 0) % 10 * 255 / 9.0; });
}

// Versions of libjpeg-turbo differ by a step in how they interpolate colour.
TEST(Jpeg, EqualsPillowsDecoder) {
    for (const std::string name : {"jpeg_444", "jpeg_420_progressive", "jpeg_grey", "jpeg_cmyk"}) {
        const Image image = read_image(file(name + ".jpg")), expected = read_image(file(name + ".png"));
        ASSERT_EQ(image.width, expected.width);
        ASSERT_EQ(image.height, expected.height);
        for (size_t i = 0; i < expected.pixels.size(); ++i)
            ASSERT_NEAR(image.pixels[i], expected.pixels[i], 2) << name << ", byte " << i;
    }
}

TEST(Codec, ProbesWithoutDecoding) {
    struct Case {
        const char* name;
        int width, height, channels, bits;
        const char* format;
    };
    for (const Case& expected : {Case{"grey2.png", 13, 11, 1, 2, "PNG"},
                                 {"rgba16.png", 13, 11, 4, 16, "PNG"},
                                 {"palette4.png", 13, 11, 3, 4, "PNG"},
                                 {"palette4_transparent.png", 13, 11, 4, 4, "PNG"},
                                 {"jpeg_444.jpg", 29, 21, 3, 8, "JPEG"},
                                 {"jpeg_cmyk.jpg", 29, 21, 4, 8, "JPEG"},
                                 {"rgb.bmp", 13, 11, 3, 8, "BMP"},
                                 {"grey.gif", 13, 11, 4, 8, "GIF"},
                                 {"grey.pgm", 13, 11, 1, 8, "PPM/PGM"},
                                 {"rgba_packed.tga", 13, 11, 4, 8, "TGA"}}) {
        const ImageHeader header = probe_image(file(expected.name));
        EXPECT_EQ(header.width, expected.width) << expected.name;
        EXPECT_EQ(header.height, expected.height) << expected.name;
        EXPECT_EQ(header.channels, expected.channels) << expected.name;
        EXPECT_EQ(header.bits, expected.bits) << expected.name;
        EXPECT_EQ(header.format, expected.format) << expected.name;
    }
    // Here the size stands behind more than the usual beginning of a file.
    std::string jpeg = read_file(file("jpeg_444.jpg"), 100000);
    for (int block = 0; block < 8; ++block) jpeg.insert(2, "\xff\xef\xff\xff" + std::string(65533, 'x'));
    TempFolder folder;
    write_file(folder / "long.jpg", jpeg);
    EXPECT_EQ(probe_image(folder / "long.jpg").width, 29);
}

TEST(Codec, KnowsAFormatByItsBytesNotByItsName) {
    TempFolder folder;
    fs::copy_file(file("rgb8.png"), folder / "photo.jpg");
    EXPECT_EQ(read_image(folder / "photo.jpg"), read_image(file("rgb8.png")));
    fs::copy_file(file("rgb.tga"), folder / "photo.bmp");
    EXPECT_NE(error_of([&] { read_image(folder / "photo.bmp"); }).find("photo.bmp: not a picture; read are PNG, JPEG"),
              std::string::npos);
    EXPECT_TRUE(has_image_extension("a/b.JPeG"));
    EXPECT_FALSE(has_image_extension("a.png/notes.txt"));
}

TEST(Codec, RefusesByPathAndReason) {
    TempFolder folder;
    const fs::path path = folder / "x.png";
    const auto fault = [&](const std::string& bytes) {
        write_file(path, bytes);
        const std::string message = error_of([&] { read_image(path); });
        EXPECT_EQ(message.substr(0, path.string().size() + 2), path.string() + ": ");
        return message.substr(path.string().size() + 2);
    };
    EXPECT_EQ(fault(""), "the file is empty");
    EXPECT_EQ(fault("hello").substr(0, 13), "not a picture");
    EXPECT_EQ(fault("RIFF\1\2\3\4WEBPVP8 ").substr(0, 21), "WebP is not supported");
    std::string png = read_file(file("rgb8.png"), 10000);
    EXPECT_EQ(fault(png.substr(0, png.size() - 1)), "damaged picture: the file is cut off after 488 bytes");
    png[60] = static_cast<char>(png[60] ^ 1);
    EXPECT_EQ(fault(png), "damaged PNG: wrong checksum in chunk \"IDAT\" at byte 33");
    const std::string jpeg = read_file(file("jpeg_444.jpg"), 10000);
    EXPECT_EQ(fault(jpeg.substr(0, 700)).substr(0, 12), "damaged JPEG");
    EXPECT_NE(error_of([&] { read_image(folder / "missing.png"); }).find("missing.png: can't open"), std::string::npos);
    EXPECT_NE(error_of([&] { read_image(folder.path()); }).find("is a folder"), std::string::npos);
}

TEST(Codec, ChecksTheNumberOfPixelsBeforeDecoding) {
    // Only headers are read. If anything were decoded, the errors would speak of files cut off.
    const auto message = [](const std::string& bytes, const DecodeOptions& options = {}) {
        return error_of([&] { decode_image(bytes, "x", options); });
    };
    std::string png = encode_png(make_image(1, 1, 3)).substr(0, 33);
    png.replace(16, 8, std::string("\0\0\xfd\xe8\0\0\xfd\xe8", 8));
    EXPECT_EQ(message(png), "x: 65000x65000 = 4,225,000,000 pixels, more than the limit of 178,956,970");
    png.replace(16, 8, "\x7f\xff\xff\xff\x7f\xff\xff\xff");
    EXPECT_NE(message(png).find("2147483647x2147483647 = 4,611,686,014,132,420,609 pixels"), std::string::npos);
    EXPECT_NE(message("P6 2147483647 2147483647 255\n").find("more than the limit"), std::string::npos);
    EXPECT_NE(message("P6 99999999999 1 255\n").find("a number too large"), std::string::npos);
    EXPECT_EQ(message(read_file(file("rgb.bmp"), 1000), {.max_pixels = 142}), "x: 13x11 = 143 pixels, more than the limit of 142");
    EXPECT_EQ(message(read_file(file("rgb.bmp"), 1000), {.max_pixels = 143}), "no error");
}

TEST(Codec, AFewBytesCannotUnpackToGigabytes) {
    // The pixels of this 1×1 PNG unpack to 64 MiB. The block that would hold them is refused.
    const Image bomb = make_image(4096, 4096, 4);
    std::string png = encode_png(bomb);
    const std::string small = encode_png(make_image(1, 1, 4));
    png.replace(8, 25, small.substr(8, 25));  // header chunk with its checksum
    EXPECT_EQ(error_of([&] { decode_image(png, "bomb"); }), "bomb: damaged PNG: outofmem");
}

TEST(PngWriter, RoundTripsEveryChannelCountAndSize) {
    for (int channels = 1; channels <= 4; ++channels) {
        for (const auto& [width, height] : {std::pair{1, 1}, {1, 40}, {300, 1}, {64, 48}}) {
            const Image image = golden::picture(channels, width, height);
            const Image back = decode_image(encode_png(image), "written", channels == 1 ? kGrey : kRgba);
            EXPECT_EQ(back, channels == 1 ? image : convert_channels(image, 4));
        }
    }
}

TEST(PngWriter, PacksWell) {
    Image ramp = make_image(256, 256, 3);
    for (int y = 0; y < 256; ++y)
        for (int x = 0; x < 256; ++x)
            for (int c = 0; c < 3; ++c) ramp.at(x, y)[c] = static_cast<uint8_t>(c == 0 ? x : c == 1 ? y : (x + y) / 2);
    EXPECT_LT(encode_png(ramp).size(), ramp.pixels.size() / 100);
}

TEST(PngWriter, CarriesText) {
    TempFolder folder;
    const PngText text = {{"Software", "ddpm"}, {"sampler", "ddim, 50 steps\nη = 0"}, {"empty", ""}};
    write_png(folder / "x.png", golden::picture(3), text);
    EXPECT_EQ(parse_png_text(encode_png(golden::picture(3), {{"checkpoint", "caf\xe9/\xff"}}), "x"),
              (PngText{{"checkpoint", "caf\\xe9/\\xff"}}))
        << "an iTXt is UTF-8";
    EXPECT_EQ(read_png_text(folder / "x.png"), text);
    EXPECT_EQ(read_image(folder / "x.png"), golden::picture(3));
    EXPECT_EQ(read_png_text(file("rgb8.png")), PngText{});
    EXPECT_THROW(encode_png(golden::picture(3), {{"", "x"}}), Error);
    EXPECT_THROW(encode_png(golden::picture(3), {{std::string(80, 'k'), "x"}}), Error);
    EXPECT_THROW(encode_png(Image{}), Error);
    EXPECT_NE(error_of([] { read_png_text(file("rgb.bmp")); }).find("rgb.bmp: not a PNG"), std::string::npos);
}

}  // namespace
}  // namespace ddpm
