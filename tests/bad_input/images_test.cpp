#include <sys/stat.h>

#include <zlib.h>

#include "bad_input/bad_input.h"
#include "ddpm/image/codec.h"

namespace ddpm {
namespace {

using test::BadInput;
using test::file;

std::string sound(const std::string& name) { return read_file(std::string(DDPM_TEST_DATA_DIR) + "/image/" + name, 100000); }

std::string big(uint32_t value, int width = 4) {
    std::string bytes;
    for (int i = width - 1; i >= 0; --i) bytes += static_cast<char>(value >> 8 * i);
    return bytes;
}

std::string little(uint32_t value, int width) {
    std::string bytes = big(value, width);
    return {bytes.rbegin(), bytes.rend()};
}

std::string chunk(const std::string& type, const std::string& data) {
    const std::string checked = type + data;
    const uLong sum = crc32_z(0, reinterpret_cast<const Bytef*>(checked.data()), checked.size());
    return big(static_cast<uint32_t>(data.size())) + checked + big(static_cast<uint32_t>(sum));
}

std::string packed(const std::string& bytes) {
    uLongf size = compressBound(bytes.size());
    std::string out(size, '\0');
    compress2(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size(), 9);
    return out.substr(0, size);
}

std::string png(uint32_t width, uint32_t height, const std::string& data, int bits = 8, int colours = 0,
                const std::string& more = "") {
    return "\x89PNG\r\n\x1a\n" +
           chunk("IHDR", big(width) + big(height) + static_cast<char>(bits) + static_cast<char>(colours) + std::string(3, '\0')) +
           more + chunk("IDAT", data) + chunk("IEND", "");
}

// A picture of its own, and the same in a folder that is looked through.
std::vector<BadInput> both(const std::string& name, const std::string& bytes, const std::vector<std::string>& words,
                           const std::string& called = "x.png") {
    std::vector<std::string> in_folder = words;
    in_folder.push_back("no readable picture");
    return {{name, {"noise-preview", called}, words, file(called, bytes)},
            {name + ", in a folder", {"data", "pictures"}, in_folder, file("pictures/" + called, bytes)}};
}

void add(std::vector<BadInput>& to, std::vector<BadInput> cases) {
    to.insert(to.end(), std::make_move_iterator(cases.begin()), std::make_move_iterator(cases.end()));
}

TEST(BadInput, Pictures) {
    const std::string rgb = sound("rgb8.png"), jpeg = sound("jpeg_444.jpg"), cmyk = sound("jpeg_cmyk.jpg"), gif = sound("grey.gif"),
                      bmp = sound("rgb.bmp");
    std::string flipped = rgb;
    flipped[60] = static_cast<char>(flipped[60] ^ 1);
    std::vector<BadInput> cases;
    add(cases, both("zero bytes", "", {"x.png", "empty"}));
    add(cases, both("one byte", "\x89", {"x.png", "not a picture", "PNG, JPEG"}));
    add(cases, both("half a PNG", rgb.substr(0, rgb.size() / 2), {"x.png", "cut off"}));
    add(cases, both("a PNG's signature alone", rgb.substr(0, 8), {"x.png", "cut off"}));
    add(cases, both("a flipped bit", flipped, {"x.png", "wrong checksum"}));
    add(cases, both("65k × 65k", png(65000, 65000, packed(std::string(1000, '\0'))), {"x.png", "65000x65000", "4225000000"}));
    cases.erase(cases.end() - 2);  // alone it is told with commas
    cases.push_back({"65k × 65k alone",
                     {"noise-preview", "x.png"},
                     {"4,225,000,000 pixels", "limit"},
                     file("x.png", png(65000, 65000, packed(std::string(1000, '\0'))))});
    add(cases, both("sides beyond 2^31", png(0x80000001, 1, "x"), {"x.png", "2147483649x1"}));
    add(cases, both("no width", png(0, 5, "x"), {"x.png", "0x5"}));
    add(cases, both("bits that PNG has not", png(1, 1, "x", 3), {"x.png", "3 bits"}));
    add(cases, both("a colour type that PNG has not", png(1, 1, "x", 8, 5), {"x.png", "colour type 5"}));
    add(cases, both("a bomb: 1×1 that unpacks to 64 MB", png(1, 1, packed(std::string(64 << 20, '\0'))), {"x.png", "damaged PNG"}));
    add(cases, both("pixels that are no zlib data", png(4, 4, "nonsense"), {"x.png", "damaged PNG"}));
    add(cases, both("fewer rows than promised", png(4, 4, packed(std::string(10, '\0'))), {"x.png", "damaged PNG"}));
    add(cases,
        both("a palette picture without a palette", png(1, 1, packed(std::string(2, '\0')), 8, 3), {"x.png", "damaged PNG"}));
    add(cases, both("an unknown chunk", png(1, 1, packed(std::string(2, '\0')), 8, 0, chunk("A\ntt", "")),
                    {"x.png", "unknown chunk \"A\\ntt\""}));
    add(cases, both("half a JPEG", jpeg.substr(0, jpeg.size() / 2), {"x.jpg", "damaged JPEG"}, "x.jpg"));
    add(cases, both("a JPEG's first bytes", jpeg.substr(0, 3), {"x.jpg", "damaged JPEG"}, "x.jpg"));
    add(cases, both("half a CMYK JPEG", cmyk.substr(0, cmyk.size() - 200), {"x.jpg", "damaged JPEG"}, "x.jpg"));
    add(cases, both("half a GIF", gif.substr(0, gif.size() / 2), {"x.gif", "cut off"}, "x.gif"));
    add(cases, both("a GIF without a picture", gif.substr(0, 13) + std::string(384, '\0') + ";",
                    {"x.gif", "no picture before the end"}, "x.gif"));
    add(cases, both("half a BMP", bmp.substr(0, bmp.size() / 2), {"x.bmp", "cut off"}, "x.bmp"));
    add(cases, both("a BMP of 2^31 rows", bmp.substr(0, 22) + little(0x80000000, 4) + bmp.substr(26), {"x.bmp"}, "x.bmp"));
    add(cases, both("a compressed BMP", bmp.substr(0, 30) + little(1, 4) + bmp.substr(34), {"x.bmp", "compressed BMP"}, "x.bmp"));
    add(cases, both("a PGM without numbers", "P5\n# nothing", {"x.pgm", "cut off"}, "x.pgm"));
    add(cases, both("a PGM of 10^9 pixels in 20 bytes", "P5 31623 31623 255\nxx", {"x.pgm", "31623x31623"}, "x.pgm"));
    add(cases, both("a PGM whose values are too large", "P2 1 1 9\n10\n", {"x.pgm", "value 10", "at most 9"}, "x.pgm"));
    add(cases, both("a TGA that is cut off", sound("rgb.tga").substr(0, 40), {"x.tga", "cut off"}, "x.tga"));
    add(cases, both("WebP by another name", std::string("RIFF\1\0\0\0WEBPVP8 ", 16) + std::string(20, 'x'),
                    {"x.png", "WebP is not supported"}));
    add(cases,
        both("TIFF by another name", std::string("II*\0", 4) + std::string(20, 'x'), {"x.jpg", "TIFF is not supported"}, "x.jpg"));
    add(cases,
        both("HEIC by another name", std::string("\0\0\0\x18", 4) + "ftypheic" + std::string(20, 'x'), {"x.jpg", "HEIC"}, "x.jpg"));
    add(cases, both("text by a picture's name", "<html>no such picture</html>", {"x.png", "not a picture"}));
    test::expect_refusals(cases);
}

TEST(BadInput, FoldersOfPictures) {
    const auto two = [](const fs::path& folder) {
        file("p/a.png", sound("rgb8.png"))(folder);
        file("p/b.png", sound("rgb8.png").substr(0, 100))(folder);
    };
    const auto config = [&](const std::string& dataset) {
        return [=](const fs::path& folder) {
            two(folder);
            write_file(folder / "c.json", R"({"dataset": {"type": "image_folder", "path": "p", )" + dataset + R"(, "image_size": 8},
                "model": {"block_out_channels": [8], "norm_num_groups": 4}, "train": {"steps": 1}})");
        };
    };
    const std::string webp = std::string("RIFF\1\0\0\0WEBPVP8 ", 16) + std::string(20, 'x');
    const auto labelled = [&](const std::function<void(const fs::path&)>& more) {
        return [=](const fs::path& folder) {
            for (const char* name : {"p/ant/a.png", "p/cat/a.png"}) file(name, sound("rgb8.png"))(folder);
            more(folder);
            write_file(folder / "c.json", R"({"dataset": {"type": "image_folder", "path": "p", "image_size": 8},
                "model": {"block_out_channels": [8], "norm_num_groups": 4, "num_class_embeds": 4}, "train": {"steps": 1}})");
        };
    };
    test::expect_refusals({
        {"an empty folder",
         {"data", "p"},
         {"p:", "no readable picture", "empty"},
         [](const fs::path& f) { fs::create_directory(f / "p"); }},
        {"hidden files alone", {"data", "p"}, {"hidden files only"}, file("p/.x.png", sound("rgb8.png"))},
        {"files of other kinds", {"data", "p"}, {".txt", "formats that are read"}, file("p/x.txt", "text")},
        {"a file where a folder should be",
         {"data", "c.json", "--set", "dataset.path=p/a.png"},
         {"p/a.png: is a PNG picture", "expected the folder"},
         config(R"("split": "train")")},
        {"on_broken=error, looking",
         {"data", "c.json"},
         {"p/b.png", "cut off", "dataset.on_broken"},
         config(R"("on_broken": "error")"),
         true},
        {"on_broken=error, training",
         {"train", "--config", "c.json"},
         {"p/b.png", "cut off", "dataset.on_broken"},
         config(R"("on_broken": "error")")},
        {"all larger than max_pixels",
         {"data", "c.json"},
         {"13x11 are 143 pixels", "dataset.max_pixels (100)"},
         config(R"("max_pixels": 100)")},
        {"classes, one of them without a picture",
         {"train", "--config", "c.json"},
         {"p/bee: a class's subfolder without a picture", "take its number", "put pictures into it"},
         labelled([](const fs::path& f) { fs::create_directories(f / "p/bee"); })},
        {"classes, one of them of a format that is not read",
         {"train", "--config", "c.json", "--check"},
         {"p/bee: a class's subfolder without a picture"},
         labelled(file("p/bee/x.webp", webp))},
        {"classes, one of them of pictures that are cut off",
         {"train", "--config", "c.json"},
         {"p/bee: a class's subfolder without a picture"},
         labelled(file("p/bee/x.png", sound("rgb8.png").substr(0, 100)))},
        {"classes, two of them empty", {"train", "--config", "c.json"}, {"p/bee:", "and 1 more"}, labelled([](const fs::path& f) {
             fs::create_directories(f / "p/bee"), fs::create_directories(f / "p/wasp/deep/below");
         })},
        {"two classes of one name in two normal forms",
         {"train", "--config", "c.json"},
         {"two classes are called \"über\"", "rename one"},
         labelled([](const fs::path& f) {
             for (const char* name : {"p/über/x.png",
                                      "p/u\xcc\x88"
                                      "ber/x.png"})
                 file(name, sound("rgb8.png"))(f);
         })},
        {"a class whose name is not UTF-8, and its text as a name",
         {"train", "--config", "c.json"},
         {"two classes are called \"caf\\xe9\""},
         labelled([](const fs::path& f) {
             for (const char* name : {"p/caf\xe9/x.png", "p/caf\\xe9/x.png"}) file(name, sound("rgb8.png"))(f);
         })},
        {"a pipe nobody writes to",
         {"noise-preview", "pipe.png"},
         {"pipe.png: is a pipe, expected a picture"},
         [](const fs::path& f) { ASSERT_EQ(::mkfifo((f / "pipe.png").c_str(), 0600), 0); }},
        {"a device", {"noise-preview", "/dev/zero"}, {"/dev/zero: is a device, expected a picture"}},
        {"a folder for a picture",
         {"noise-preview", "p"},
         {"p: is a folder"},
         [](const fs::path& f) { fs::create_directory(f / "p"); }},
    });
}

// Whatever looks like pictures or a class and is left out is refused where dataset.on_broken says so, by training and by looking.
TEST(BadInput, WhatIsLeftOutOfAFolder) {
    const auto link = [](const std::string& name) {
        return [=](const fs::path& folder) {
            fs::create_directories((folder / name).parent_path());
            fs::create_symlink("nowhere", folder / name);
        };
    };
    const std::string png = sound("rgb8.png"), webp = std::string("RIFF\1\0\0\0WEBPVP8 ", 16),
                      heic(
                          "\0\0\0\x18"
                          "ftypheic",
                          12),
                      jxl("\0\0\0\x0cJXL \r\n\x87\n", 12);
    struct Case {
        std::string name, what;
        std::function<void(const fs::path&)> make;
    };
    const std::vector<Case> table = {
        {"p/x/b.webp", "WebP is not supported", file("p/x/b.webp", webp)},
        {"p/x/B.WEBP", "WebP is not supported", file("p/x/B.WEBP", webp)},
        {"p/x/b.jpg", "WebP is not supported", file("p/x/b.jpg", webp)},
        {"p/x/b", "HEIC is not supported", file("p/x/b", heic)},
        {"p/x/b.jxl", "JPEG XL is not supported", file("p/x/b.jxl", jxl)},
        {"p/x/b.Avif", "AVIF is not supported", file("p/x/b.Avif", "?")},
        {"p/x/b.svg", "SVG is not supported", file("p/x/b.svg", "<svg/>")},
        {"p/x/b.png", "not a picture", file("p/x/b.png", "text")},
        {"p/x/b.JPG", "empty", file("p/x/b.JPG", "")},
        {"p/x/b.png~", "back-up or unfinished copy of \"b.png\"", file("p/x/b.png~", png)},
        {"p/x/.b.png.swp", "back-up or unfinished copy", file("p/x/.b.png.swp", "b0VIM")},
        {"p/x/b.png.part", "back-up or unfinished copy", file("p/x/b.png.part", png)},
        {"p/x/.b.png", "hidden", file("p/x/.b.png", png)},
        {"p/.thumbs/b.png", "hidden", file("p/.thumbs/b.png", png)},
        {"p/more.zip", "an archive, which is not looked into", file("p/more.zip", "PK")},
        {"p/x/b.TAR", "an archive", file("p/x/b.TAR", "x")},
        {"p/x/b.png", "a link to nothing", link("p/x/b.png")},
        {"p/dog", "a link to nothing", link("p/dog")},
        {"p/x/b.png", "a device or a pipe",
         [](const fs::path& f) {
             fs::create_directories(f / "p/x");
             ASSERT_EQ(::mkfifo((f / "p/x/b.png").c_str(), 0600), 0);
         }},
        {"p/x/up", "a link to a folder that is looked through already",
         [](const fs::path& f) {
             fs::create_directories(f / "p/x");
             fs::create_directory_symlink("..", f / "p/x/up");
         }},
        {"p/bee", "a subfolder without a picture", [](const fs::path& f) { fs::create_directories(f / "p/bee/deep/below"); }},
        {"p/caf\\xe9/b.webp", "WebP is not supported", file("p/caf\xe9/b.webp", webp)},
    };
    std::vector<BadInput> cases;
    for (const Case& one : table)
        for (const bool training : {true, false}) {
            const auto make = [=](const fs::path& folder) {
                one.make(folder);
                file("p/x/a.png", png)(folder);
                write_file(folder / "c.json",
                           R"({"dataset": {"type": "image_folder", "path": "p", "image_size": 8, "on_broken": "error"},
                    "model": {"block_out_channels": [8], "norm_num_groups": 4}, "train": {"steps": 1}})");
            };
            const std::vector<std::string> arguments =
                training ? std::vector<std::string>{"train", "--config", "c.json"} : std::vector<std::string>{"data", "c.json"};
            cases.push_back({one.name + " " + one.what + ", " + arguments[0],
                             arguments,
                             {one.name + ": ", one.what, "dataset.on_broken"},
                             make,
                             !training});
        }
    test::expect_refusals(cases);
}

}  // namespace
}  // namespace ddpm
