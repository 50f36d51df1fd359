#include <gtest/gtest.h>

#include <set>

#include "dataset/fixtures.h"
#include "dataset/framing.h"
#include "ddpm/dataset/inspect.h"
#include "ddpm/dataset/loader.h"
#include "ddpm/image/codec.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace ddpm::dataset {
namespace {

DatasetOptions folder_options(const fs::path& folder, int64_t side = 8) {
    DatasetOptions options;
    options.type = "image_folder";
    options.path = folder.string();
    options.height = options.width = side;
    return options;
}

std::array<uint8_t, 3> first_pixel(const Dataset& dataset, int64_t index) {
    const std::vector<uint8_t> pixels = read_example(dataset, index);
    return {pixels[0], pixels[1], pixels[2]};
}

TEST(Framing, CoveringSizeTouchesOneSideAndExceedsTheOther) {
    EXPECT_EQ(covering_size({640, 480}, {32, 32}), (PictureSize{43, 32}));
    EXPECT_EQ(covering_size({480, 640}, {32, 32}), (PictureSize{32, 43}));
    EXPECT_EQ(covering_size({100, 100}, {40, 20}), (PictureSize{40, 40}));
    EXPECT_EQ(covering_size({8, 8}, {32, 32}), (PictureSize{32, 32}));
    // One row of a million pixels: 16 frames long, not a million.
    EXPECT_EQ(covering_size({1000000, 1}, {32, 32}), (PictureSize{512, 32}));
    const Image row = cover(make_image(1000, 1, 1, 7), {32, 32});
    EXPECT_EQ(row, make_image(512, 32, 1, 7));
}

TEST(Framing, CropsAreTheMiddleOrAnyPlace) {
    Image columns = make_image(11, 4, 1);
    for (int y = 0; y < 4; ++y)
        for (int x = 0; x < 11; ++x) *columns.at(x, y) = static_cast<uint8_t>(x);
    std::vector<uint8_t> cropped(16);
    RandomStream random(0, Purpose::augmentation);
    frame_picture(columns, {4, 4}, false, random, cropped.data());
    EXPECT_EQ(cropped[0], 3);
    EXPECT_EQ(cropped[15], 6);
    // Eight places; each is missed in 400 draws once in 10^23 times.
    std::set<int> places;
    for (int i = 0; i < 400; ++i) {
        frame_picture(columns, {4, 4}, true, random, cropped.data());
        places.insert(cropped[0]);
        EXPECT_EQ(cropped[3], cropped[0] + 3);
    }
    EXPECT_EQ(places, (std::set<int>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST(ImageFolder, ReadsByContentRecursivelyInTheOrderOfPaths) {
    TempFolder folder;
    put(folder / "a.ppm", ppm(8, 8, 10, 20, 30));
    put(folder / "deep/er/b.jpg", ppm(20, 10, 40, 50, 60));                        // named wrong
    put(folder / "z", encode_png(Image{8, 8, 3, std::vector<uint8_t>(192, 70)}));  // not named at all
    put(folder / "notes.txt", "no picture");
    put(folder / ".hidden.ppm", ppm(8, 8, 1, 1, 1));
    put(folder / ".cache/c.ppm", ppm(8, 8, 1, 1, 1));
    const auto dataset = open_dataset(folder_options(folder.path()), 0, 2);
    ASSERT_EQ(dataset->size(), 3);
    EXPECT_TRUE(dataset->class_names().empty());
    EXPECT_EQ(dataset->label(0), -1);
    EXPECT_EQ(first_pixel(*dataset, 0), (std::array<uint8_t, 3>{10, 20, 30}));
    EXPECT_EQ(first_pixel(*dataset, 1), (std::array<uint8_t, 3>{40, 50, 60}));
    EXPECT_EQ(first_pixel(*dataset, 2), (std::array<uint8_t, 3>{70, 70, 70}));
}

TEST(ImageFolder, FirstLevelSubfoldersAreClasses) {
    TempFolder folder;
    put(folder / "dog/1.ppm", ppm(8, 8, 1, 0, 0));
    put(folder / "cat/2.ppm", ppm(8, 8, 2, 0, 0));
    put(folder / "cat/old/3.ppm", ppm(8, 8, 3, 0, 0));
    const auto dataset = open_dataset(folder_options(folder.path()), 0, 1);
    EXPECT_EQ(dataset->class_names(), (std::vector<std::string>{"cat", "dog"}));
    for (int64_t i = 0; i < 3; ++i) {
        int64_t label = -1;
        const bool dog = read_example(*dataset, i, 0, &label)[0] == 1;
        EXPECT_EQ(label, dog ? 1 : 0);
        EXPECT_EQ(dataset->label(i), label);
    }
}

TEST(ImageFolder, ASlashAtTheEndOfThePathChangesNothing) {
    TempFolder folder;
    put(folder / "cat/1.ppm", ppm(8, 8, 1, 0, 0));
    DatasetOptions options = folder_options(folder.path());
    options.path += "/";
    EXPECT_EQ(open_dataset(options, 0, 1)->class_names(), (std::vector<std::string>{"cat"}));
}

TEST(ImageFolder, BrokenPicturesAreLeftOutOrRefused) {
    TempFolder folder;
    put(folder / "a.ppm", ppm(8, 8, 1, 0, 0));
    put(folder / "b.png", "not a picture at all");
    std::string cut = encode_png(Image{8, 8, 3, std::vector<uint8_t>(192, 70)});
    put(folder / "c.png", cut.substr(0, cut.size() - 30));
    put(folder / "d.ppm", ppm(8, 8, 4, 0, 0));
    DatasetOptions options = folder_options(folder.path());
    const auto kept = open_dataset(options, 0, 2);
    EXPECT_EQ(kept->size(), 2);
    EXPECT_EQ(first_pixel(*kept, 1)[0], 4);

    // Decoded as needed, the one whose header is whole is found out when it is read.
    options.cache_mb = 0;
    const auto on_demand = open_dataset(options, 0, 2);
    EXPECT_EQ(on_demand->size(), 3);
    EXPECT_EQ(first_pixel(*on_demand, 1)[0], 4);
    EXPECT_EQ(first_pixel(*on_demand, 2)[0], 4);

    options.on_broken = "error";
    EXPECT_EQ(error_of([&] { open_dataset(options, 0, 2); }).rfind((folder / "b.png").string(), 0), 0u);
    fs::remove(folder / "b.png");
    EXPECT_EQ(error_of([&] { read_example(*open_dataset(options, 0, 2), 1); }).rfind((folder / "c.png").string(), 0), 0u);
    options.cache_mb = 1;
    EXPECT_EQ(error_of([&] { open_dataset(options, 0, 2); }).rfind((folder / "c.png").string(), 0), 0u);
}

TEST(ImageFolder, PicturesOfTooManyPixelsAreBroken) {
    TempFolder folder;
    put(folder / "small.ppm", ppm(8, 8, 1, 0, 0));
    put(folder / "large.ppm", "P6\n100000 100000\n255\n");  // the header is enough
    DatasetOptions options = folder_options(folder.path());
    EXPECT_EQ(open_dataset(options, 0, 1)->size(), 1);
    options.on_broken = "error";
    EXPECT_NE(error_of([&] { open_dataset(options, 0, 1); }).find("large.ppm"), std::string::npos);
}

TEST(ImageFolder, KeptAndDecodedPicturesAreTheSame) {
    TempFolder folder;
    const auto shapes = open_dataset(DatasetOptions{}, 0, 1);
    for (int64_t i = 0; i < 12; ++i) {
        Image image = make_image(32, 32, 3);
        image.pixels = read_example(*shapes, i);
        image.height = i % 2 == 0 ? 24 : 32;
        image.pixels.resize(static_cast<size_t>(image.height) * 32 * 3);
        put(folder / (std::to_string(i) + ".png"), encode_png(image));
    }
    for (const char* crop : {"center", "random"}) {
        DatasetOptions options = folder_options(folder.path(), 16);
        options.crop = crop;
        options.random_flip = true;
        const auto kept = open_dataset(options, 0, 3);
        options.cache_mb = 0;
        const auto decoded = open_dataset(options, 0, 1);
        EXPECT_NE(kept->describe(), decoded->describe());
        BatchLoader a(*kept, 7, 0, 1), b(*decoded, 7, 0, 3);
        for (int64_t k = 0; k < 6; ++k) EXPECT_EQ(a.load(k).x_start, b.load(k).x_start);
    }
}

TEST(ImageFolder, AlphaLiesOverTheBackgroundUnlessItIsAskedFor) {
    TempFolder folder;
    Image clear = make_image(8, 8, 4, 9);
    for (int i = 0; i < 64; ++i) clear.pixels[static_cast<size_t>(i) * 4 + 3] = 0;
    put(folder / "clear.png", encode_png(clear));
    DatasetOptions options = folder_options(folder.path());
    options.background = {10, 20, 30};
    EXPECT_EQ(first_pixel(*open_dataset(options, 0, 1), 0), (std::array<uint8_t, 3>{10, 20, 30}));
    options.channels = 4;
    EXPECT_EQ(read_example(*open_dataset(options, 0, 1), 0)[3], 0);
}

TEST(ImageFolder, NothingToReadIsTheUsersMistake) {
    TempFolder folder;
    const auto error = [&](const fs::path& path) { return error_of([&] { open_dataset(folder_options(path), 0, 1); }); };
    EXPECT_NE(error(folder.path()).find("no readable picture"), std::string::npos);
    EXPECT_NE(error(folder / "missing").find("no such folder"), std::string::npos);
    put(folder / "a.txt", "x");
    EXPECT_NE(error(folder / "a.txt").find("expected the folder of the data set"), std::string::npos);
    EXPECT_NE(error(folder.path()).find(".txt"), std::string::npos);
    put(folder / "b.png", "x");
    EXPECT_NE(error(folder.path()).find("b.png"), std::string::npos);
}

TEST(Inspect, CountsWhatIsThere) {
    TempFolder folder;
    put(folder / "a/1.ppm", ppm(16, 8, 1, 0, 0));
    put(folder / "a/2.ppm", ppm(16, 8, 2, 0, 0));
    put(folder / "a/3.ppm", ppm(4, 4, 3, 0, 0));
    put(folder / "b/4.png", encode_png(make_image(30, 20, 4, 5)));
    put(folder / "b/5.png", encode_png(make_image(10, 10, 1, 5)));
    std::string cut = encode_png(make_image(9, 9, 3, 5));
    put(folder / "b/6.png", cut.substr(0, cut.size() - 30));
    put(folder / "b/7.png", "nothing");
    put(folder / "b/readme.md", "text");
    put(folder / ".thumbs/1.ppm", ppm(1, 1, 0, 0, 0));
    const DatasetReport report = inspect_dataset(folder_options(folder.path()), 0, 2);
    EXPECT_EQ(report.images, 5);
    ASSERT_EQ(report.classes.size(), 2u);
    EXPECT_EQ(report.classes[0].name, "a");
    EXPECT_EQ(report.classes[0].count, 3);
    EXPECT_EQ(report.classes[1].count, 2);
    EXPECT_EQ(report.smallest, "4x4");
    EXPECT_EQ(report.median, "16x8");
    EXPECT_EQ(report.largest, "30x20");
    EXPECT_EQ(report.sizes[0].name, "16x8");
    EXPECT_EQ(report.sizes[0].count, 2);
    EXPECT_EQ(report.enlarged, 1);
    EXPECT_EQ(report.transparent, 1);
    EXPECT_EQ(report.hidden, 0);
    ASSERT_EQ(report.others.size(), 1u);
    EXPECT_EQ(report.others[0].name, ".md");
    ASSERT_EQ(report.left_out.size(), 3u);
    EXPECT_EQ(report.left_out[0].path, (folder / "b/6.png").string());
    EXPECT_TRUE(report.kept);

    const std::string text = format_report(report);
    EXPECT_EQ(text.rfind("5 images, 2 broken", 0), 0u) << text;
    EXPECT_NE(text.find("2: a 3, b 2"), std::string::npos) << text;
    EXPECT_NE(text.find("smallest 4x4, median 16x8, largest 30x20"), std::string::npos) << text;
    EXPECT_NE(text.find("6.png"), std::string::npos) << text;
}

TEST(Inspect, TheFourthChannelOfAJpegIsNoAlpha) {
    TempFolder folder;
    fs::copy_file(fs::path(DDPM_TEST_DATA_DIR) / "image/jpeg_cmyk.jpg", folder / "print.jpg");
    const DatasetReport report = inspect_dataset(folder_options(folder.path()), 0, 1);
    EXPECT_EQ(report.transparent, 0);
    ASSERT_EQ(report.kinds.size(), 1u);
    EXPECT_EQ(report.kinds[0].name, "CMYK");
}

TEST(Inspect, SheetShowsDistinctExamples) {
    DatasetOptions options;
    options.height = options.width = 16;
    options.length = 30;
    const auto dataset = open_dataset(options, 0, 1);
    const Image sheet = contact_sheet(*dataset, 9);
    EXPECT_EQ(sheet.width, 3 * 64 + 4 * 2);
    EXPECT_EQ(sheet.height, sheet.width);
    EXPECT_EQ(contact_sheet(*dataset, 9), sheet);
    EXPECT_EQ(contact_sheet(*dataset, 1000).height, 5 * 64 + 6 * 2);  // all 30, 6 a row
    EXPECT_EQ(inspect_dataset(options, 0, 1).images, 30);
}

}  // namespace
}  // namespace ddpm::dataset
