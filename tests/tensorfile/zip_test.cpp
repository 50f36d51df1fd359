#include "ddpm/tensorfile/zip.h"

#include <gtest/gtest.h>

#include "ddpm/core/error.h"
#include "tensorfile/archive.h"

namespace ddpm {
namespace {

using test::zip_archive;

std::vector<ZipEntry> directory_of(const std::string& bytes) {
    const auto read = [&](uint64_t offset, uint64_t count) {
        EXPECT_LE(offset, bytes.size());
        EXPECT_LE(count, bytes.size() - offset) << "asked for what is not in the file";
        return bytes.substr(offset, count);
    };
    return read_zip_directory(read, bytes.size(), "a.pt");
}

std::string fault(const std::string& bytes) {
    try {
        directory_of(bytes);
    } catch (const Error& error) {
        const std::string what = error.what();
        EXPECT_EQ(what.rfind("a.pt: ", 0), 0u) << what;
        EXPECT_EQ(what.find('\n'), std::string::npos) << what;
        EXPECT_EQ(error.exit_code(), 2);
        return what;
    }
    return "none";
}

#define EXPECT_FAULT(part, bytes) EXPECT_NE(fault(bytes).find(part), std::string::npos) << fault(bytes)

const test::Files kFiles = {{"m/data.pkl", "pickle"}, {"m/data/0", "0123456789"}, {"m/empty", ""}};

TEST(Zip, FindsEveryFileInAllWritersForms) {
    for (const test::ZipQuirks& quirks : {test::ZipQuirks{}, test::ZipQuirks{.zip64 = true}, test::ZipQuirks{.flags = 0x0808},
                                          test::ZipQuirks{.comment = "PK\x05\x06 and more"}}) {
        const std::string bytes = zip_archive(kFiles, quirks);
        const std::vector<ZipEntry> entries = directory_of(bytes);
        ASSERT_EQ(entries.size(), kFiles.size());
        for (size_t i = 0; i < entries.size(); ++i) {
            EXPECT_EQ(entries[i].name, kFiles[i].first);
            EXPECT_EQ(bytes.substr(entries[i].begin, entries[i].size), kFiles[i].second);
        }
    }
    EXPECT_TRUE(directory_of(zip_archive({})).empty());
    EXPECT_TRUE(is_zip(zip_archive(kFiles)));
    EXPECT_FALSE(is_zip("PK"));
}

TEST(Zip, RefusesWhatTorchDoesNotWrite) {
    EXPECT_FAULT("\"m/data.pkl\" is compressed", zip_archive(kFiles, {.method = 8}));
    EXPECT_FAULT("\"m/data.pkl\" is encrypted", zip_archive(kFiles, {.flags = 1}));
    EXPECT_FAULT("\"a\" is there twice", zip_archive({{"a", "1"}, {"a", "2"}}));
    EXPECT_FAULT("directory is missing", std::string(100, 'x'));
    EXPECT_FAULT("3 bytes are too few", "PK\x03");
}

// Returns `bytes` with the number at `at` replaced.
std::string with(std::string bytes, size_t at, uint64_t value, int width) {
    return bytes.replace(at, static_cast<size_t>(width), test::little(value, width));
}

TEST(Zip, RefusesNumbersThatContradictTheFile) {
    const std::string bytes = zip_archive(kFiles);
    const size_t end = bytes.size() - 22, directory = bytes.find("PK\x01\x02"), second = bytes.find("PK\x01\x02", directory + 1);
    EXPECT_FAULT("reaches beyond the end", with(bytes, end + 12, 1 << 20, 4));
    EXPECT_FAULT("reaches beyond the end", with(bytes, end + 16, 0xFFFFFFFE, 4));
    EXPECT_FAULT("entries in a directory", with(bytes, end + 10, 60000, 2));
    EXPECT_FAULT("entry 3 of its directory is not there",
                 with(with(bytes, end + 10, 4, 2), end + 12, 4 * 46 + 20, 4).insert(end, 60, 'x'));
    EXPECT_FAULT("several parts", with(bytes, end + 4, 1, 2));
    EXPECT_FAULT("10 bytes and 11 of them stored", with(bytes, second + 20, 11, 4));
    EXPECT_FAULT("reaches into the directory", with(with(bytes, second + 20, 1000, 4), second + 24, 1000, 4));
    EXPECT_FAULT("overlap", with(with(bytes, directory + 20, 60, 4), directory + 24, 60, 4));
    EXPECT_FAULT("says otherwise", with(bytes, second + 42, 0, 4));
    EXPECT_FAULT("is not there", with(bytes, second + 42, 3, 4));
    EXPECT_FAULT("is not there", with(bytes, second + 42, 0xFFFFFFF0, 4));
    const std::string large = zip_archive(kFiles, {.zip64 = true});
    const size_t locator = large.find("PK\x06\x07"), end64 = large.find("PK\x06\x06");
    EXPECT_FAULT("zip64 record", with(large, locator + 8, ~uint64_t{0}, 8));
    EXPECT_FAULT("zip64 record", with(large, locator + 8, end64 - 1, 8));
    EXPECT_FAULT("reaches beyond the end", with(large, end64 + 48, ~uint64_t{0}, 8));
    EXPECT_FAULT("reaches beyond the end", with(large, end64 + 40, ~uint64_t{0}, 8));
    EXPECT_FAULT("zip64 field of \"m/data.pkl\" is too short", with(large, large.find("PK\x01\x02") + 46 + 10 + 2, 16, 2));
}

// An archive that is cut off or changed anywhere is one clear error or still sound, and only bytes within it are asked
// for.
TEST(Zip, DamageIsAnErrorOrHarmless) {
    for (const bool zip64 : {false, true}) {
        const std::string bytes = zip_archive(kFiles, {.zip64 = zip64});
        for (size_t size = 0; size < bytes.size(); ++size) EXPECT_NE(fault(bytes.substr(0, size)), "none") << size;
        for (size_t at = 0; at < bytes.size(); ++at)
            for (const unsigned change : {0x01u, 0x80u, 0xFFu}) {
                std::string changed = bytes;
                changed[at] = static_cast<char>(static_cast<unsigned char>(changed[at]) ^ change);
                fault(changed);
            }
    }
}

}  // namespace
}  // namespace ddpm
