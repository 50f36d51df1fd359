#include <functional>

#include <gtest/gtest.h>

#include "dataset/fixtures.h"
#include "ddpm/dataset/holdout.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

// Ten small pictures and two of more than 64 KiB in two classes, each of a colour of its own.
void fill(const fs::path& folder) {
    for (int i = 0; i < 10; ++i)
        put(folder / (i % 2 == 0 ? "a" : "b") / (std::to_string(i) + ".ppm"), ppm(8, 8, static_cast<uint8_t>(20 * i), 0, 0));
    for (const char* name : {"a/large.ppm", "b/large.ppm"}) put(folder / name, ppm(200, 200, 7, 7, 7));
}

DataFingerprint fingerprint(const fs::path& folder, int64_t cache_mb = 1024, int threads = 1) {
    DatasetOptions options;
    options.type = "image_folder";
    options.path = folder.string();
    options.height = options.width = 8;
    options.cache_mb = cache_mb;
    return open_dataset(options, 0, 2)->fingerprint(threads).value();
}

bool operator==(const DataFingerprint& a, const DataFingerprint& b) {
    return a.names == b.names && a.sizes == b.sizes && a.bytes == b.bytes;
}

TEST(Fingerprint, IsThatOfTheFilesWhereverTheyLie) {
    const TempFolder temp;
    fill(temp / "one");
    fill(temp / "else/where");
    fs::create_directory_symlink("one", temp / "link");
    const DataFingerprint expected = fingerprint(temp / "one");
    for (const char* place : {"else/where", "link", "one/", "one/../else/where", "./one"})
        EXPECT_TRUE(fingerprint(temp / place) == expected) << place;
    EXPECT_TRUE(fingerprint(temp / "one", 0, 3) == expected) << "whatever is kept and however it is read";
    put(temp / "one/notes.txt", "no picture");
    put(temp / "one/.hidden.ppm", ppm(8, 8, 1, 1, 1));
    EXPECT_TRUE(fingerprint(temp / "one") == expected) << "what is not trained on does not count";
}

TEST(Fingerprint, TellsWhatChanged) {
    struct Case {
        const char* what;
        std::function<void(const fs::path&)> change;
        bool names, sizes, bytes;  // whether they differ
    };
    const auto rename = [](const char* from, const char* to) {
        return [=](const fs::path& folder) {
            fs::create_directories((folder / to).parent_path());
            fs::rename(folder / from, folder / to);
        };
    };
    const auto write = [](const char* file, const std::string& bytes) {
        return [=](const fs::path& folder) { put(folder / file, bytes); };
    };
    std::string one_byte = ppm(200, 200, 7, 7, 7);
    one_byte.back() = 8;
    const Case cases[] = {{"nothing", [](const fs::path&) {}, false, false, false},
                          {"a picture of the same size", write("a/2.ppm", ppm(8, 8, 1, 2, 3)), false, false, true},
                          {"one byte at the end of a large one", write("a/large.ppm", one_byte), false, false, true},
                          {"a picture of another size", write("a/2.ppm", ppm(9, 8, 40, 0, 0)), false, true, true},
                          {"a name that sorts alike", rename("b/9.ppm", "b/9x.ppm"), true, false, false},
                          {"a class's name that sorts alike", rename("b", "c"), true, false, false},
                          {"a name that sorts otherwise", rename("a/0.ppm", "a/5.ppm"), true, false, true},
                          {"another class", rename("a/8.ppm", "b/8.ppm"), true, true, true},
                          {"one more", write("a/10.ppm", ppm(8, 8, 3, 3, 3)), true, true, true},
                          {"one less", [](const fs::path& folder) { fs::remove(folder / "b/1.ppm"); }, true, true, true}};
    for (const Case& one : cases) {
        const TempFolder temp;
        fill(temp / "d");
        const DataFingerprint before = fingerprint(temp / "d");
        one.change(temp / "d");
        const DataFingerprint after = fingerprint(temp / "d");
        EXPECT_EQ(before.names != after.names, one.names) << one.what;
        EXPECT_EQ(before.sizes != after.sizes, one.sizes) << one.what;
        EXPECT_EQ(before.bytes != after.bytes, one.bytes) << one.what;
    }
}

TEST(Fingerprint, OfAPartIsThatOfTheWhole) {
    const TempFolder temp;
    fill(temp / "d");
    DatasetOptions options;
    options.type = "image_folder";
    options.path = (temp / "d").string();
    options.height = options.width = 8;
    const std::shared_ptr<const Dataset> whole = open_dataset(options, 0, 1);
    const Split split = split_dataset(whole, 3, 0);
    EXPECT_TRUE(split.training->fingerprint(1).value() == whole->fingerprint(1).value());
    EXPECT_TRUE(split.held_out->fingerprint(1).value() == whole->fingerprint(1).value());
}

TEST(Fingerprint, WhatIsDrawnFromOptionsHasNone) { EXPECT_FALSE(open_dataset({}, 0, 1)->fingerprint(1)); }

}  // namespace
}  // namespace ddpm
