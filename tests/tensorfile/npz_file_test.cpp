#include "ddpm/tensorfile/npz_file.h"

#include <cstring>

#include <gtest/gtest.h>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/tensorfile/npz.h"
#include "support/errors.h"
#include "support/temp_folder.h"
#include "tensorfile/archive.h"

namespace ddpm {
namespace {

std::string data_file(const std::string& name) { return read_file(fs::path(DDPM_TEST_DATA_DIR) / "eval" / name, 1 << 20); }

NpzFile opened(const std::string& bytes) {
    const auto read = [bytes](uint64_t offset, uint64_t count) {
        EXPECT_LE(offset, bytes.size());
        EXPECT_LE(count, bytes.size() - offset) << "asked for what is not in the file";
        return bytes.substr(offset, count);
    };
    return NpzFile(read, bytes.size(), "a.npz");
}

std::string whole(NpzFile& file, const NpzArray& array) {
    return file.read(array, 0, static_cast<uint64_t>(array.count()) * array.item);
}

// All that can be read of a file: names, shapes and bytes.
std::string content_of(const std::string& bytes) {
    NpzFile file = opened(bytes);
    std::string content;
    for (const NpzArray& array : file.arrays())
        content += array.name + " " + array.words() + " " + (array.item > 0 ? whole(file, array) : "");
    return content;
}

// An archive with one array whose head is `dict`, of `numbers` bytes.
std::string with_head(const std::string& dict, size_t numbers) {
    const std::string head = test::joined({"\x93NUMPY\x01", std::string_view("\0", 1), test::little(dict.size(), 2), dict});
    return test::zip_archive({{"x.npy", head + std::string(numbers, 'x')}});
}

std::string fault(const std::string& bytes) {
    return error_of([&] { opened(bytes); });
}

// The files are NumPy's own (tests/data/eval/make.py).
TEST(NpzFile, ReadsWhatNumpyWritesStoredOrDeflated) {
    for (const char* name : {"guided.npz", "samples.npz"}) {
        NpzFile file = opened(data_file(name));
        const NpzArray* pictures = file.find("arr_0");
        ASSERT_NE(pictures, nullptr) << name;
        EXPECT_EQ(pictures->shape, (std::vector<int64_t>{5, 4, 6, 3}));
        EXPECT_EQ(pictures->words(), "uint8 5x4x6x3");
        const std::string bytes = whole(file, *pictures);
        ASSERT_EQ(bytes.size(), 360u);
        for (size_t i = 0; i < bytes.size(); ++i) ASSERT_EQ(static_cast<unsigned char>(bytes[i]), i * 7 % 256) << name << " " << i;
        EXPECT_EQ(file.read(*pictures, 100, 30), bytes.substr(100, 30)) << "from the middle";
        EXPECT_EQ(file.read(*pictures, 7, 3), bytes.substr(7, 3)) << "and back";
    }
    NpzFile stored = opened(data_file("edm.npz")), deflated = opened(data_file("pytorch_fid.npz"));
    EXPECT_EQ(whole(stored, *stored.find("mu")), whole(deflated, *deflated.find("mu")));
    EXPECT_TRUE(stored.find("sigma")->fortran_order);
    EXPECT_FALSE(deflated.find("sigma")->fortran_order);
    EXPECT_EQ(stored.find("nothing"), nullptr);
}

TEST(NpzFile, ReadsWhatNpzWriterWrites) {
    const TempFolder folder;
    NpzWriter writer(folder / "x.npz");
    writer.begin("n", "<i8", {});
    writer.write(test::little(12345, 8));
    writer.begin("none", "<f4", {0, 5});
    writer.begin("row", "|u1", {3});
    writer.write("abc");
    writer.commit();
    NpzFile file(folder / "x.npz");
    ASSERT_EQ(file.arrays().size(), 3u);
    EXPECT_EQ(whole(file, *file.find("n")), test::little(12345, 8));
    EXPECT_EQ(whole(file, *file.find("none")), "");
    EXPECT_EQ(whole(file, *file.find("row")), "abc");
    EXPECT_EQ(file.find("n")->words(), "int64 number");
}

// A pickle in it is listed and not run.
TEST(NpzFile, ListsArraysThatItDoesNotRead) {
    NpzFile file = opened(data_file("objects.npz"));
    EXPECT_EQ(file.find("arr_0")->item, 0u);
    EXPECT_EQ(file.find("mixed")->words(), "\"structured\" 2");
    EXPECT_EQ(file.find("words")->item, 20u);
}

TEST(NpzFile, ATornFileIsRefusedWhereverItEnds) {
    for (const char* name : {"pytorch_fid.npz", "guided.npz"}) {
        const std::string bytes = data_file(name);
        for (size_t size = 0; size < bytes.size(); ++size) {
            const std::string says = fault(bytes.substr(0, size));
            ASSERT_EQ(says.rfind("a.npz: ", 0), 0u) << name << " of " << size << " bytes: " << says;
        }
    }
}

// Whatever byte is another one, the file is refused or its content is what it was.
TEST(NpzFile, AChangedByteNeverChangesNumbers) {
    for (const char* name : {"samples.npz", "edm.npz"}) {
        const std::string bytes = data_file(name), content = content_of(bytes);
        int refused = 0;
        for (size_t at = 0; at < bytes.size(); ++at) {
            std::string changed = bytes;
            changed[at] = static_cast<char>(changed[at] ^ 0x10);
            try {
                const std::string other = content_of(changed);
                EXPECT_EQ(other, content) << name << ", byte " << at;
            } catch (const Error& error) {
                EXPECT_EQ(error.exit_code(), 2) << error.what();
                ++refused;
            }
        }
        EXPECT_GT(refused, static_cast<int>(bytes.size()) / 2) << name;
    }
}

TEST(NpzFile, RefusesHeadsThatNumpyDoesNotWrite) {
    const std::string sound = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }\n";
    EXPECT_EQ(opened(with_head(sound, 6)).arrays().front().shape, (std::vector<int64_t>{2, 3}));
    EXPECT_SAYS(fault(with_head(sound, 5)), "\"x.npy\": has 5 bytes, which is not what uint8 2x3 takes");
    EXPECT_SAYS(fault(with_head("{'descr': '|u1', 'shape': (6,), }", 6)), "lacks descr, fortran_order or shape");
    EXPECT_SAYS(fault(with_head("{'descr': '|u1', 'fortran_order': False, 'shape': (-6,), }", 6)), "expected a number");
    EXPECT_SAYS(fault(with_head("{'descr': '|u1', 'fortran_order': 1, 'shape': (6,), }", 6)), "expected \"False\"");
    EXPECT_SAYS(fault(with_head("{'descr': 'u', 'fortran_order': False, 'shape': (6,), }", 6)), "its dtype is \"u\"");
    EXPECT_SAYS(fault(with_head("{'descr': '|u1', 'code': 'x', 'shape': (6,), }", 6)), "unknown key \"code\"");
    EXPECT_SAYS(fault(with_head("{'descr': '|u1", 6)), "a text in its head has no end");
    EXPECT_SAYS(
        fault(with_head("{'descr': '|u1', 'fortran_order': False, 'shape': (4611686018427387904, 4611686018427387904)}", 1)),
        "which is not what");
    EXPECT_SAYS(fault(with_head("{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999)}", 1)), "too large");
    EXPECT_SAYS(fault(test::zip_archive({{"x.npy", "not an array at all"}})), "it does not begin like one");
    EXPECT_SAYS(fault(test::zip_archive({{"x.npy", "\x93NUMPY\x09 abcdefgh"}})), "version 9");
    EXPECT_SAYS(fault(test::zip_archive({{"x.txt", "text"}})), "holds no array of NumPy");
    EXPECT_SAYS(fault(test::zip_archive({{"x.npy", with_head(sound, 6)}}, {.method = 12})), "compressed, and not by deflate");
}

}  // namespace
}  // namespace ddpm
