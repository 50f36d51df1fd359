// Any bytes in a file give a picture or a ddpm::Error that begins with the file's name. Run under the address and
// undefined-behaviour sanitizers (preset dev) this is a small fuzzer; the seed is fixed.

#include <random>

#include <gtest/gtest.h>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/image/codec.h"
#include "golden.h"

namespace ddpm {
namespace {

constexpr DecodeOptions kOptions{.channels = 4, .max_pixels = 1 << 16};

// Whether a picture was decoded.
bool decodes(const std::string& bytes, const std::string& name) {
    try {
        const Image image = decode_image(bytes, name, kOptions);
        EXPECT_GE(image.width, 1);
        EXPECT_GE(image.height, 1);
        EXPECT_EQ(image.pixels.size(), static_cast<size_t>(image.width) * image.height * 4);
        return true;
    } catch (const Error& error) {
        EXPECT_EQ(std::string(error.what()).substr(0, name.size() + 2), name + ": ");
        EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
        return false;
    }
}

std::vector<fs::path> pictures() {
    std::vector<fs::path> files;
    for (const fs::path& file : list_files(golden::file(""), false))
        if (has_image_extension(file) && file.filename().string().find("resize") != 0) files.push_back(file);
    EXPECT_GT(files.size(), 20u);
    return files;
}

TEST(Damage, CutOffAnywhereIsAnError) {
    for (const fs::path& file : pictures()) {
        const std::string name = file.filename().string(), bytes = read_file(file, 100000);
        ASSERT_TRUE(decodes(bytes, name)) << name;
        for (size_t size = 0; size < bytes.size(); ++size) {
            // A GIF's later frames, and the end marks of GIF and JPEG and TGA's footer, may be missing.
            const bool whole_picture = decodes(bytes.substr(0, size), name);
            const std::string extension = file.extension();
            const bool ends_with_pixels = extension == ".png" || extension == ".bmp" || extension == ".ppm" || extension == ".pgm";
            ASSERT_FALSE(whole_picture && ends_with_pixels) << name << " cut to " << size;
            ASSERT_FALSE(whole_picture && extension == ".jpg" && size < bytes.size() - 2) << name << " cut to " << size;
        }
    }
}

TEST(Damage, FlippedBytesAreAPictureOrAnError) {
    std::mt19937 random(7);
    for (const fs::path& file : pictures()) {
        const std::string name = file.filename().string(), whole = read_file(file, 100000);
        for (int round = 0; round < 400; ++round) {
            std::string bytes = whole;
            // Half of the damage goes to the first 64 bytes, where the headers are.
            for (unsigned flips = 1 + random() % 4; flips > 0; --flips) {
                const size_t reach = random() % 2 ? std::min<size_t>(64, bytes.size()) : bytes.size();
                char& byte = bytes[random() % reach];
                byte = static_cast<char>(random() % 3 == 0 ? random() : static_cast<unsigned char>(byte) ^ 1u << random() % 8);
            }
            decodes(bytes, name);
        }
    }
}

// With valid checksums stb_image itself sees the damage.
TEST(Damage, PngWithRepairedChecksums) {
    std::mt19937 random(11);
    for (const fs::path& file : pictures()) {
        if (file.extension() != ".png") continue;
        const std::string name = file.filename().string(), whole = read_file(file, 100000);
        for (int round = 0; round < 400; ++round) {
            std::string bytes = whole;
            for (unsigned flips = 1 + random() % 3; flips > 0; --flips)
                bytes[8 + random() % (bytes.size() - 8)] ^= static_cast<char>(1u << random() % 8);
            for (size_t at = 8; at + 12 <= bytes.size();) {
                const auto big32 = [&](size_t where) {
                    uint32_t number = 0;
                    for (size_t i = 0; i < 4; ++i) number = number << 8 | static_cast<unsigned char>(bytes[where + i]);
                    return number;
                };
                const size_t length = big32(at);
                if (length > bytes.size() - at - 12) break;
                uint32_t crc = 0xffffffffu;
                for (size_t i = at + 4; i < at + 8 + length; ++i) {
                    crc ^= static_cast<unsigned char>(bytes[i]);
                    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
                }
                for (int i = 0; i < 4; ++i) bytes[at + 8 + length + i] = static_cast<char>(~crc >> (24 - 8 * i));
                at += 12 + length;
            }
            decodes(bytes, name);
        }
    }
}

TEST(Damage, NoiseBehindEveryMagic) {
    std::mt19937 random(13);
    const std::string magics[] = {"\x89PNG\r\n\x1a\n", "\xff\xd8\xff", "GIF89a", "BM", "P6 ", "P2 ", ""};
    for (const std::string& magic : magics) {
        for (int round = 0; round < 300; ++round) {
            std::string bytes = magic;
            for (unsigned left = random() % 200; left > 0; --left) bytes += static_cast<char>(random());
            decodes(bytes, "noise.tga");
        }
    }
}

}  // namespace
}  // namespace ddpm
