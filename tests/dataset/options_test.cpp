#include "ddpm/dataset/options.h"

#include <gtest/gtest.h>

#include "dataset/fixtures.h"
#include "support/errors.h"

namespace ddpm {
namespace {

DatasetOptions read(const char* text) {
    DatasetOptions options;
    dataset_fields().read(options, parse_json(text, "test"), "dataset");
    check(options);
    return options;
}

std::string refusal(const char* text) {
    return error_of([&] { read(text); });
}

TEST(DatasetOptions, ImageSizeIsANumberOrHeightAndWidth) {
    DatasetOptions options = read(R"({"image_size": 48})");
    EXPECT_EQ(options.height, 48);
    EXPECT_EQ(options.width, 48);
    options = read(R"({"image_size": [16, 40]})");
    EXPECT_EQ(options.height, 16);
    EXPECT_EQ(options.width, 40);
    EXPECT_EQ(dataset_fields().write(options)["image_size"].dump(), "[16,40]");
}

TEST(DatasetOptions, WritesWhatItReads) {
    const char* text = R"({"type":"image_folder","path":"pictures","image_size":64,"channels":1,"random_flip":true,
                           "crop":"random","background":[1,2,3],"on_broken":"error","cache_mb":0,"workers":3})";
    const Json written = dataset_fields().write(read(text));
    DatasetOptions again;
    dataset_fields().read(again, written, "dataset");
    EXPECT_EQ(dataset_fields().write(again), written);
    EXPECT_EQ(dataset_fields().write(read(R"({"background": "black"})"))["background"], "black");
    EXPECT_EQ(read(R"({"background": "black"})").background, (std::array<uint8_t, 3>{0, 0, 0}));
}

TEST(DatasetOptions, ErrorsNameThePathTheValueAndWhatIsExpected) {
    EXPECT_EQ(refusal(R"({"image_size": 0})"), "dataset.image_size: got 0, expected an integer 1 … 8192");
    EXPECT_EQ(refusal(R"({"image_size": [32]})"), "dataset.image_size: got [32], expected an integer 1 … 8192 or [height, width]");
    EXPECT_NE(refusal(R"({"image_size": [32, 0]})").find("dataset.image_size[1]: got 0"), std::string::npos);
    EXPECT_EQ(refusal(R"({"channels": 2})"), "dataset.channels: got 2, expected 1, 3 or 4");
    EXPECT_NE(refusal(R"({"background": [0, 0, 256]})").find("dataset.background[2]: got 256"), std::string::npos);
    EXPECT_NE(refusal(R"({"background": "pink"})").find("white, black, gray or [red, green, blue]"), std::string::npos);
    EXPECT_NE(refusal(R"({"type": "image_foldr"})").find("did you mean \"image_folder\"?"), std::string::npos);
}

TEST(DatasetOptions, ContradictionsAreRefused) {
    EXPECT_NE(refusal(R"({"type": "image_folder"})").find("dataset.path: missing"), std::string::npos);
    EXPECT_NE(refusal(R"({"type": "shapes", "path": "x"})").find("dataset.path: got \"x\""), std::string::npos);
    EXPECT_NE(refusal(R"({"type": "mnist", "path": "x", "channels": 4})").find("dataset.channels: got 4"), std::string::npos);
    EXPECT_NE(refusal(R"({"split": "test"})").find("dataset.split: got \"test\""), std::string::npos);
    EXPECT_EQ(refusal(R"({"type": "cifar10", "path": "x", "split": "test"})"), "no error");
}

TEST(DatasetOptions, EveryKindIsInTheTableOnce) {
    std::vector<std::string> names;
    for (const DatasetKind& kind : dataset_kinds()) names.push_back(kind.name);
    EXPECT_EQ(join(names), "shapes, image_folder, cifar10, mnist");
    EXPECT_EQ(dataset_fields().describe()[0].allowed, join(names));
}

TEST(DatasetOptions, WorkersDefaultToTheThreadsOfTheProgram) {
    DatasetOptions options;
    EXPECT_EQ(worker_count(options, 5), 5);
    options.workers = 2;
    EXPECT_EQ(worker_count(options, 5), 2);
}

}  // namespace
}  // namespace ddpm
