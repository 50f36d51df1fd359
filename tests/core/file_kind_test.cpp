#include "ddpm/core/file_kind.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "support/errors.h"
#include "support/nobody.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

std::string little(uint64_t value, int width) {
    std::string bytes;
    for (int i = 0; i < width; ++i, value >>= 8) bytes += static_cast<char>(value & 0xFF);
    return bytes;
}

// The beginning of a zip archive whose first file has this name.
std::string zip(const std::string& name) {
    return "PK\x03\x04" + std::string(22, '\0') + little(name.size(), 2) + little(0, 2) + name + "FB";
}

std::string tar() { return std::string("w.pt") + std::string(253, '\0') + "ustar\0" + std::string(200, '\0'); }

struct Example {
    std::string bytes;
    FileKind kind;
    std::string words;  // that it is called by
};

// Each begins as the programs that write it begin.
std::vector<Example> examples() {
    const std::string zero(1, '\0');
    return {
        {"", FileKind::empty, "empty"},
        {"hello", FileKind::text, "a file of text"},
        {"Grüße, 猫\r\n\tx", FileKind::text, "a file of text"},
        {std::string("caf\xc3"), FileKind::text, "a file of text"},  // cut off within its last character
        {R"({"dataset": {}})", FileKind::json, "a file of JSON"},
        {" \n[1, 2]", FileKind::json, "a file of JSON"},
        {"\xEF\xBB\xBF{}", FileKind::json, "a file of JSON"},
        {"<!DOCTYPE html><html>", FileKind::other, "a page of HTML"},
        {"\n  <HTML><head>", FileKind::other, "a page of HTML"},
        {"<?xml version=\"1.0\"?><svg>", FileKind::other, "a file of XML"},
        {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", FileKind::other, "a pointer of Git LFS"},
        {"\xff\xfe{" + zero, FileKind::other, "UTF-16"},
        {"\x89PNG\r\n\x1a\n" + little(13, 4), FileKind::picture, "a PNG picture"},
        {"\xff\xd8\xff\xe0" + zero, FileKind::picture, "a JPEG picture"},
        {"GIF89a" + zero, FileKind::picture, "a GIF picture"},
        {"BM" + little(100, 4) + little(0, 4) + little(54, 4), FileKind::picture, "a BMP picture"},
        {"P5\n4 4 255\n", FileKind::picture, "a PPM or PGM picture"},
        {"RIFF" + little(9, 4) + "WEBPVP8 ", FileKind::picture, "a WebP picture"},
        {"II*" + zero, FileKind::picture, "a TIFF picture"},
        {little(0x18000000, 4) + "ftypavif", FileKind::picture, "an AVIF picture"},
        {little(0x18000000, 4) + "ftypheic", FileKind::picture, "a HEIC picture"},
        {little(0x18000000, 4) + "ftypisom", FileKind::other, "a film"},
        {std::string("\0\0\x08\x03\0\0\xea\x60", 8) + zero, FileKind::idx, "a file of IDX"},
        {little(2, 8) + "{}", FileKind::safetensors, "a safetensors file"},
        {zip("model/data.pkl"), FileKind::zip, "a file of torch.save (a zip archive)"},
        {zip("jit/data/0"), FileKind::zip, "an archive of TorchScript or torch.export"},
        {zip("arr_0.npy"), FileKind::zip, "an archive of NumPy (.npz)"},
        {zip("cats/1.png"), FileKind::zip, "a zip archive"},
        {"PK\x05\x06" + std::string(18, '\0'), FileKind::zip, "a zip archive"},
        {"\x80\x04\x95\x3b" + std::string(7, '\0') + "}\x94", FileKind::pickle, "a pickle of Python objects"},
        {"\x80\x02}q" + zero, FileKind::pickle, "a pickle of Python objects"},
        {std::string("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 14), FileKind::pickle,
         "a file of torch.save in the format of torch before 1.6"},
        {"(dp0\nVa\np1\n", FileKind::pickle, "a pickle of Python objects"},
        {"(lp0\n.", FileKind::pickle, "a pickle of Python objects"},
        {"}q" + zero + "(X", FileKind::pickle, "a pickle of Python objects"},
        {"]q" + zero + ".", FileKind::pickle, "a pickle of Python objects"},
        {"ccollections\nOrderedDict\nq" + zero + ")R", FileKind::pickle, "a pickle of Python objects"},
        {"ccollections\nOrderedDict\np0\n(tRp1\n", FileKind::pickle, "a pickle of Python objects"},
        {"ccopy_reg\n_reconstructor\n(cmodel\nNet\n", FileKind::pickle, "a pickle of Python objects"},
        {"cat\ndog\npig\n", FileKind::text, "a file of text"},
        {"cat\ndog\np0", FileKind::text, "a file of text"},
        {"\x89HDF\r\n\x1a\n" + zero, FileKind::other, "a file of HDF5"},
        {"\x93NUMPY\x01" + zero, FileKind::other, "an array of NumPy"},
        {"GGUF\x03" + little(0, 3), FileKind::other, "a file of GGUF"},
        {"\x08\x07\x12\x07pytorch\x1a", FileKind::other, "a model of ONNX"},
        {little(28, 4) + "TFL3", FileKind::other, "a model of TensorFlow Lite"},
        {tar(), FileKind::other, "a tar archive"},
        {"\x1f\x8b\x08" + zero, FileKind::other, "a gzip archive"},
        {"\xfd"
         "7zXZ" +
             zero,
         FileKind::other, "an xz archive"},
        {"7z\xbc\xaf\x27\x1c", FileKind::other, "a 7z archive"},
        {"%PDF-1.7\n", FileKind::other, "a PDF document"},
        {"PAR1" + little(0, 2), FileKind::other, "a table of Parquet"},
        {"SQLite format 3" + zero, FileKind::other, "a data base of SQLite"},
        {"\x7f"
         "ELF\x02",
         FileKind::other, "a program"},
        {std::string(64, '\0'), FileKind::unknown, "unknown"},
        {"\x01\x02\x03", FileKind::unknown, "unknown"},
        {"text" + zero, FileKind::unknown, "unknown"},
    };
}

TEST(FileKind, IsRecognisedByTheFirstBytes) {
    for (const Example& example : examples()) {
        // What follows the first bytes does not matter, unless it ends a character that is cut off.
        for (const size_t more : {0, 1000}) {
            if (more > 0 && (example.bytes.empty() || example.bytes == "caf\xc3")) continue;
            const FileLook look = look_at_bytes(example.bytes + std::string(more, 'x'));
            EXPECT_EQ(look.kind, example.kind) << example.words << ", not " << look.words;
            EXPECT_SAYS(look.words, example.words);
        }
    }
}

// The length of a safetensors header is eight arbitrary bytes: those of another kind's beginning too.
TEST(FileKind, ASafetensorsFileIsOneWhateverItsLengthLooksLike) {
    for (const uint64_t length : {0x213C20ull, 0x21213Cull, 0x683Cull, 0x4D42ull, 0x3550ull, 0x4034b50ull, 0x88b1full, 0x2Dull,
                                  0x7Bull, 0x207Bull, 0x3C20ull, 0x483C20ull, 100'000'000ull})
        EXPECT_EQ(look_at_bytes(little(length, 8) + "{\"a\":").kind, FileKind::safetensors) << std::hex << length;
    for (const uint64_t length : {uint64_t{100'000'001}, ~uint64_t{0}, uint64_t{1}})
        EXPECT_NE(look_at_bytes(little(length, 8) + "{\"a\":").kind, FileKind::safetensors) << std::hex << length;
}

TEST(FileKind, OfAPathIsWhereItLeads) {
    const TempFolder temp;
    write_file(temp / "text", "hello");
    fs::create_directory(temp / "folder");
    fs::create_symlink("text", temp / "link");
    fs::create_symlink("nowhere", temp / "dangling");
    ASSERT_EQ(::mkfifo((temp / "pipe").c_str(), 0600), 0);
    const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (temp / "socket").string().copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const auto words = [&](const char* name) { return look_at(temp / name).words; };
    EXPECT_EQ(words("text"), "a file of text");
    EXPECT_EQ(words("link"), "a file of text");
    EXPECT_EQ(words("folder"), "a folder");
    EXPECT_EQ(words("pipe"), "a pipe");
    EXPECT_EQ(words("socket"), "a socket");
    EXPECT_EQ(look_at("/dev/null").words, "a device");
    EXPECT_EQ(words("none"), "not found");
    EXPECT_EQ(words("none/below"), "not found");
    EXPECT_EQ(words("dangling"), "not found (a link to \"nowhere\", which is not there)");
    EXPECT_EQ(words("text/"), "not found (" + (temp / "text").string() + " is no folder)");
    EXPECT_EQ(words("text/below/x"), "not found (" + (temp / "text").string() + " is no folder)");
    EXPECT_EQ(look_at(temp / std::string(300, 'x')).kind, FileKind::missing);
    EXPECT_SAYS(look_at("~/model").advice, "home folder");
    ::close(socket);
    fs::create_symlink("loop", temp / "loop");
    EXPECT_THROW(look_at(temp / "loop"), Unreadable);
    ASSERT_EQ(::chmod((temp / "text").c_str(), 0), 0);
    ASSERT_EQ(::chmod(temp.path().c_str(), 0755), 0);
    expect_refused_to_nobody([&] { look_at(temp / "text"); });
}

TEST(FileKind, ARefusalSaysWhatItIsAndWhatWasExpected) {
    const TempFolder temp;
    write_file(temp / "x", "%PDF-1.7");
    const std::string x = (temp / "x").string(), none = (temp / "none").string();
    EXPECT_EQ(error_of([&] { expect_kind(temp / "x", {FileKind::json}, "JSON"); }), x + ": is a PDF document, expected JSON");
    EXPECT_EQ(error_of([&] { expect_kind(temp / "none", {FileKind::json}, "JSON"); }), none + ": not found; expected JSON");
    EXPECT_EQ(error_of([&] { expect_kind("{", {FileKind::json}, "x", "JSON"); }), "no error");
    EXPECT_EQ(error_of([&] { expect_kind(std::string(9, '\1'), {FileKind::json}, "x", "JSON"); }), "no error");
}

}  // namespace
}  // namespace ddpm
