// What looks like a picture, like many or like a class, and is not trained on, is left out and told of.

#include "ddpm/dataset/left_out.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <sys/stat.h>

#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "dataset/fixtures.h"
#include "ddpm/core/error.h"
#include "ddpm/dataset/inspect.h"
#include "ddpm/image/codec.h"
#include "ddpm/image/unread.h"
#include "support/errors.h"
#include "support/nobody.h"
#include "support/temp_folder.h"

namespace ddpm::dataset {
namespace {

using Why = LeftOut::Why;

DatasetOptions options_of(const fs::path& folder, const std::string& on_broken = "skip") {
    DatasetOptions options;
    options.type = "image_folder";
    options.path = folder.string();
    options.height = options.width = 8;
    options.on_broken = on_broken;
    return options;
}

std::string picture() { return encode_png(make_image(8, 8, 3, 70)); }
std::string own_picture() { return encode_png(make_image(8, 8, 3, 70), software_text()); }

std::vector<Why> kinds_of(const DatasetReport& report) {
    std::vector<Why> kinds;
    for (const LeftOut& item : report.left_out) kinds.push_back(item.why);
    return kinds;
}

// Beside one picture lies one thing of the kind. Training takes the picture, says what is left out in one line, and refuses
// it where it is asked to; so does looking.
void expect_left_out(Why why, const std::string& name, const std::function<void(const fs::path&)>& make) {
    SCOPED_TRACE(name);
    const TempFolder folder;
    put(folder / "x/picture.png", picture());
    make(folder / name);
    const DatasetReport report = inspect_dataset(options_of(folder.path()), 0, 1);
    EXPECT_EQ(report.images, 1);
    EXPECT_EQ(kinds_of(report), std::vector<Why>{why});
    ASSERT_FALSE(report.left_out.empty());
    EXPECT_EQ(report.left_out[0].reason.rfind((folder / name).string() + ": ", 0), 0u) << report.left_out[0].reason;
    EXPECT_SAYS(format_report(report), "left out  1 ");
    const auto dataset = open_dataset(options_of(folder.path()), 0, 1);
    EXPECT_EQ(dataset->size(), 1);
    EXPECT_EQ(dataset->notes(), fmt::format("{}: 1 picture taken, left out {}; the first: {}", folder.path().string(),
                                            count_left_out(report.left_out), one_line(report.left_out[0].reason)));
    const std::string refusal = error_of([&] { open_dataset(options_of(folder.path(), "error"), 0, 1); });
    if (is_refused(report.left_out[0]))
        EXPECT_EQ(refusal.rfind((folder / name).string(), 0), 0u) << refusal;
    else
        EXPECT_EQ(refusal, "no error");
}

void expect_left_out(Why why, const std::string& name, const std::string& bytes) {
    expect_left_out(why, name, [&](const fs::path& path) { put(path, bytes); });
}

TEST(LeftOut, PicturesThatCantBeRead) {
    const std::string cut = picture().substr(0, 60);
    for (const char* name : {"x/a.png", "x/a.PNG", "x/a.JPeG", "x/deep/er/a.gif", "x/a.tga", "x/no extension"})
        expect_left_out(Why::unreadable, name, cut);
    for (const char* name : {"x/a.bmp", "x/a.jfif", "x/a.DIB"}) {
        expect_left_out(Why::unreadable, name, "");
        expect_left_out(Why::unreadable, name, "no picture");
    }
    for (const char* name : {"x/a.png", "x/A.JPG", "x/a.webp", "x/link"})
        expect_left_out(Why::unreadable, name, [](const fs::path& path) { fs::create_symlink("nowhere", path); });
    expect_left_out(Why::unreadable, "x/a.png", [](const fs::path& path) { fs::create_symlink("a.png", path); });
    expect_left_out(Why::unreadable, "dog", [](const fs::path& path) { fs::create_directory_symlink("/nowhere/dog", path); });
    expect_left_out(Why::unreadable, "x/a.png", [](const fs::path& path) { ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0); });
    expect_left_out(Why::unreadable, "x/a.pgm", "P5\n100000 100000\n255\n");
}

TEST(LeftOut, FormatsThatAreNotReadByTheirBytes) {
    const std::vector<std::pair<std::string, std::string>> heads = {
        {"WebP", std::string("RIFF\1\0\0\0WEBPVP8 ", 16)},
        {"TIFF", std::string("II*\0\x08\0\0\0", 8)},
        {"TIFF", std::string("MM\0*\0\0\0\x08", 8)},
        {"TIFF", std::string("II+\0\x08\0\0\0", 8)},
        {"AVIF", std::string("\0\0\0\x1c", 4) + "ftypavif"},
        {"HEIC", std::string("\0\0\0\x18", 4) + "ftypheic"},
        {"HEIC", std::string("\0\0\0\x18", 4) + "ftypmif1"},
        {"JPEG XL", std::string("\0\0\0\x0cJXL \r\n\x87\n", 12)},
        {"JPEG XL", "\xff\x0a"},
        {"JPEG 2000", std::string("\0\0\0\x0cjP  \r\n\x87\n", 12)},
        {"JPEG 2000", "\xff\x4f\xff\x51"},
        {"Photoshop", "8BPS"},
        {"OpenEXR", "\x76\x2f\x31\x01"},
        {"Radiance HDR", "#?RADIANCE\n"},
        {"QOI", "qoif"},
        {"PBM", "P4\n8 8\n"},
    };
    for (const auto& [format, head] : heads) {
        EXPECT_EQ(unread_format(head), format);
        for (const char* name : {"x/a.jpg", "x/a.PNG", "x/a.dat", "x/a", "x/a.zip"})
            expect_left_out(Why::other_format, name, head + std::string(40, 'x'));
    }
    for (const std::string none : {"", "R", "RIFF", "WEBP", "hello there", "II", "P6\n1 1\n", "\xff\xd8\xff"})
        EXPECT_EQ(unread_format(none), "") << none;
}

TEST(LeftOut, FormatsThatAreNotReadByTheirNames) {
    for (const char* name : {"a.webp", "a.WEBP", "a.tif", "a.TIFF", "a.avif", "a.HEIC", "a.heif", "a.jxl", "a.jp2", "a.psd",
                             "a.svg", "a.dng", "a.CR2", "a.exr", "a.ico", "a.pbm"}) {
        expect_left_out(Why::other_format, std::string("x/") + name, "whatever");
        EXPECT_NE(unread_format_of_name(name), "");
    }
    for (const char* name : {"webp", "a.png", "a.txt", "a.", "a", "", "webp.txt"})
        EXPECT_EQ(unread_format_of_name(name), "") << name;
}

TEST(LeftOut, ManyAreCountedByFormat) {
    const TempFolder folder;
    put(folder / "a.png", picture());
    for (int i = 0; i < 9; ++i) {
        put(folder / fmt::format("{}.webp", i), std::string("RIFF\1\0\0\0WEBPVP8 ", 16));
        put(folder / fmt::format("{}.tif", i), std::string("II*\0\x08\0\0\0", 8));
    }
    put(folder / "b.png", "x");
    EXPECT_SAYS(open_dataset(options_of(folder.path()), 0, 1)->notes(),
                "1 picture taken, left out 1 picture that can't be read, 18 pictures of formats that are not read "
                "(9 TIFF, 9 WebP); the first: " +
                    (folder / "b.png").string());
}

TEST(LeftOut, BackUpsOfEditorsAndDownloads) {
    for (const char* name : {"a.png~", "a.PNG~", "a.png.~1~", "#a.png#", ".#a.png", ".a.png.swp", ".a.png.swo", "a.png.bak",
                             "a.jpg.BAK", "a.png.orig", "a.png.old", "a.png.tmp", "a.png.part", "a.jpeg.crdownload", "a.webp~"}) {
        expect_left_out(Why::back_up, std::string("x/") + name, picture());
        expect_left_out(Why::back_up, std::string("x/") + name, "b0VIM 8.2");
    }
    for (const char* name : {"photo~", "photo.bak", "photo.tmp"})
        expect_left_out(Why::back_up, std::string("x/") + name, picture());
}

TEST(LeftOut, HiddenPictures) {
    for (const char* name : {"x/.a.png", "x/._a.jpg", "x/.thumbs/a.PNG", ".cache/a/b/c.gif", "x/.a.webp", "__MACOSX/a.png",
                             "x/@eaDir/a.jpg", "$RECYCLE.BIN/a.png"})
        expect_left_out(Why::hidden, name, picture());
}

TEST(LeftOut, Archives) {
    for (const char* name : {"a.zip", "a.ZIP", "x/a.tar", "a.tar.gz", "a.tgz", "x/a.7z", "a.rar", "a.tar.zst", "a.tar.xz"})
        expect_left_out(Why::archive, name, "PK\3\4whatever");
}

TEST(LeftOut, SubfoldersWithoutAPicture) {
    const auto empty = [](const fs::path& path) { fs::create_directories(path); };
    const auto nested = [](const fs::path& path) { fs::create_directories(path / "so/deep/below"); };
    const auto notes = [](const fs::path& path) { put(path / "notes.txt", "text"); };
    for (const char* name : {"bee", "a class", "0"})
        for (const std::function<void(const fs::path&)>& make :
             std::vector<std::function<void(const fs::path&)>>{empty, nested, notes})
            expect_left_out(Why::empty_class, name, make);
}

TEST(LeftOut, ASubfolderOfUnreadablePicturesIsNoClass) {
    const TempFolder folder;
    for (const char* name : {"ant", "cat", "dog"}) put(folder / name / "1.png", picture());
    const std::string cut = picture().substr(0, picture().size() - 30);
    const std::vector<std::pair<std::string, std::string>> contents = {{"x.png", "junk"},
                                                                       {"x.webp", std::string("RIFF\1\0\0\0WEBPVP8 ", 16)},
                                                                       {"x.png", cut},
                                                                       {"x.png~", picture()},
                                                                       {".x.png", picture()}};
    for (const auto& [name, bytes] : contents) {
        fs::remove_all(folder / "bee");
        put(folder / "bee" / name, bytes);
        const auto dataset = open_dataset(options_of(folder.path()), 0, 1);
        EXPECT_EQ(dataset->class_names(), (std::vector<std::string>{"ant", "cat", "dog"})) << name;
        EXPECT_EQ(dataset->empty_classes(), std::vector<std::string>{"bee"}) << name;
        EXPECT_EQ(dataset->size(), 3);
        const DatasetReport report = inspect_dataset(options_of(folder.path()), 0, 1);
        ASSERT_EQ(report.classes.size(), 3u);
        for (const auto& kind : report.classes) EXPECT_EQ(kind.count, 1);
        EXPECT_SAYS(format_report(report), "1 subfolder without a picture (bee)");
    }
}

TEST(LeftOut, NoClassIsMissedWherePicturesLieBesideTheFolders) {
    const TempFolder folder;
    put(folder / "cover.png", picture());
    put(folder / "cat/1.png", picture());
    fs::create_directories(folder / "bee");
    EXPECT_TRUE(inspect_dataset(options_of(folder.path()), 0, 1).left_out.empty());
}

TEST(LeftOut, ThisProgramsOwnPictures) {
    for (const char* name : {"x/grid.png", "x/000000.png", "samples/000000.png", "samples/deep/000001.png", "x/no extension"})
        expect_left_out(Why::is_made_by_ddpm, name, own_picture());
}

TEST(LeftOut, RunsOfThisProgram) {
    const auto run = [](const fs::path& path) {
        put(path / "config.json", "{}");
        put(path / "metrics.jsonl", "");
        put(path / "loss.png", picture());
        put(path / "samples/step-000001.png", picture());
        put(path / "checkpoints/step-000001/model_index.json", "{}");
        put(path / "grid.png", own_picture());
    };
    const auto begun = [](const fs::path& path) {
        put(path / "config.json", R"({"seed": 0, "dataset": {}, "model": {}, "diffusion": {}, "train": {}})");
        fs::create_directories(path / "checkpoints");
    };
    for (const char* name : {"runs", "runs/a", "x/runs/a", "x/run"}) {
        expect_left_out(Why::run, name, run);
        expect_left_out(Why::run, name, begun);
    }
    // The data set is the folder of a run itself.
    const TempFolder folder;
    run(folder.path());
    fs::remove(folder / "loss.png");
    put(folder / "x/1.png", picture());
    const DatasetReport report = inspect_dataset(options_of(folder.path()), 0, 1);
    EXPECT_EQ(report.images, 1);
    EXPECT_EQ(kinds_of(report), (std::vector<Why>{Why::is_made_by_ddpm, Why::run}));
    EXPECT_EQ(report.classes.size(), 1u);
}

// The names alone make no run of a class.
TEST(LeftOut, AClassWithTheNamesOfARunIsAClass) {
    const TempFolder folder;
    for (const char* name : {"ant", "bee", "cat"}) put(folder / name / "1.png", picture());
    for (const char* config : {"{}", "[]", "torn", R"({"dataset": {}, "model": {}})"}) {
        put(folder / "bee/config.json", config);
        fs::create_directories(folder / "bee/checkpoints/step-1");
        const auto dataset = open_dataset(options_of(folder.path(), "error"), 0, 1);
        EXPECT_EQ(dataset->class_names(), (std::vector<std::string>{"ant", "bee", "cat"})) << config;
    }
}

TEST(LeftOut, PipelinesAndFilesOfSamples) {
    const auto pipeline = [](const fs::path& path) {
        put(path / "model_index.json", R"({"_class_name": "DDPMPipeline", "unet": ["diffusers", "UNet2DModel"]})");
        put(path / "unet/config.json", "{}");
        put(path / "training/counters.json", "{}");
    };
    expect_left_out(Why::product, "pipe", pipeline);
    expect_left_out(Why::product, "kept/step-000001", pipeline);
    for (const char* file : {"samples.npz", "samples.safetensors"})
        expect_left_out(Why::product, "drawn", [&](const fs::path& path) { put(path / file, "numbers"); });
    // Pictures beside a pipeline are trained on, and names alone make no pipeline.
    const TempFolder folder;
    put(folder / "ant/1.png", picture());
    pipeline(folder / "bee");
    put(folder / "bee/1.png", picture());
    put(folder / "cat/model_index.json", "{}");
    const auto dataset = open_dataset(options_of(folder.path()), 0, 1);
    EXPECT_EQ(dataset->class_names(), (std::vector<std::string>{"ant", "bee"}));
    EXPECT_EQ(dataset->empty_classes(), std::vector<std::string>{"cat"});
}

TEST(LeftOut, ADataSetMayBeAllOfThisProgramsPictures) {
    const TempFolder folder;
    for (const char* name : {"cat/000000.png", "cat/000001.png", "dog/000000.png"}) put(folder / name, own_picture());
    const auto dataset = open_dataset(options_of(folder.path(), "error"), 0, 1);
    EXPECT_EQ(dataset->size(), 3);
    EXPECT_EQ(dataset->class_names(), (std::vector<std::string>{"cat", "dog"}));
    EXPECT_SAYS(dataset->notes(), "3 pictures, all of which this program has made");
    EXPECT_SAYS(format_report(inspect_dataset(options_of(folder.path()), 0, 1)), "this program, all of them");
}

TEST(LeftOut, LinksThatLeadRound) {
    expect_left_out(Why::repeated, "x/up", [](const fs::path& path) { fs::create_directory_symlink("..", path); });
    expect_left_out(Why::repeated, "x/out", [](const fs::path& path) { fs::create_directory_symlink("../..", path); });
    expect_left_out(Why::repeated, "again", [](const fs::path& path) { fs::create_directory_symlink("x", path); });
}

// Whatever its name: the folder is entered by its own place.
TEST(LeftOut, AFolderIsTakenBeforeALinkToIt) {
    const TempFolder folder;
    put(folder / "m/1.png", picture());
    fs::create_directory_symlink("m", folder / "a");
    fs::create_directory_symlink("m", folder / "z");
    const auto dataset = open_dataset(options_of(folder.path()), 0, 1);
    EXPECT_EQ(dataset->class_names(), std::vector<std::string>{"m"});
    EXPECT_EQ(dataset->size(), 1);
    // A link to a folder elsewhere is a class like any other.
    const TempFolder elsewhere;
    put(elsewhere / "pictures/2.png", picture());
    fs::create_directory_symlink(elsewhere / "pictures", folder / "c");
    EXPECT_EQ(open_dataset(options_of(folder.path()), 0, 1)->class_names(), (std::vector<std::string>{"c", "m"}));
}

TEST(LeftOut, ALinkInThePlaceOfAClassIsAnEmptyClass) {
    const TempFolder folder;
    for (const char* name : {"ant", "cat"}) put(folder / name / "1.png", picture());
    const auto empty = [&] { return open_dataset(options_of(folder.path()), 0, 1)->empty_classes(); };
    fs::create_directory_symlink("/nowhere/bee", folder / "bee");
    EXPECT_EQ(empty(), std::vector<std::string>{"bee"});
    fs::remove(folder / "bee");
    fs::create_directory_symlink("/nowhere/bee", folder / "bee.v2");
    EXPECT_EQ(empty(), std::vector<std::string>{"bee.v2"});
    fs::remove(folder / "bee.v2");
    fs::create_directory_symlink("cat", folder / "bee");
    EXPECT_EQ(empty(), std::vector<std::string>{"bee"});
    fs::remove(folder / "bee");
    // Pictures, what is hidden and what lies deeper are no classes, nor is a link to a run.
    fs::create_symlink("nowhere", folder / "bee.png");
    fs::create_symlink("nowhere", folder / ".bee");
    fs::create_symlink("nowhere", folder / "ant/bee");
    put(folder / "runs/a/config.json", "{}");
    fs::create_directories(folder / "runs/a/checkpoints/step-000001");
    fs::create_directory_symlink("runs/a", folder / "latest");
    EXPECT_EQ(empty(), std::vector<std::string>{});
}

TEST(LeftOut, AClassOfBrokenPicturesIsEmptyWhetherTheyAreKeptOrNot) {
    const TempFolder folder;
    for (const char* name : {"ant/1.png", "bee/3.png", "cat/1.png"}) put(folder / name, picture());
    const std::string cut = picture().substr(0, picture().size() - 30);
    for (const char* name : {"bee/1.png", "bee/2.png"}) put(folder / name, cut);
    DatasetOptions options = options_of(folder.path());
    options.cache_mb = 0;
    const auto with_one = open_dataset(options, 0, 2);
    EXPECT_EQ(with_one->size(), 5) << "broken ones are replaced when they are read";
    EXPECT_EQ(with_one->class_names(), (std::vector<std::string>{"ant", "bee", "cat"}));
    fs::remove(folder / "bee/3.png");
    for (const int64_t cache_mb : {0, 1}) {
        options.cache_mb = cache_mb;
        const auto dataset = open_dataset(options, 0, 2);
        EXPECT_EQ(dataset->class_names(), (std::vector<std::string>{"ant", "cat"})) << cache_mb;
        EXPECT_EQ(dataset->empty_classes(), std::vector<std::string>{"bee"}) << cache_mb;
        EXPECT_SAYS(dataset->notes(), "2 pictures that can't be read, 1 subfolder without a picture (bee)");
    }
    options.cache_mb = 0;
    options.on_broken = "error";
    EXPECT_SAYS(error_of([&] { open_dataset(options, 0, 1); }), (folder / "bee/1.png").string());
}

// Whether there are classes may not depend on how much memory the pictures may take.
TEST(LeftOut, WhatLiesBesideTheClassesCountsAlikeWhetherPicturesAreKeptOrNot) {
    const std::string cut = picture().substr(0, picture().size() - 30);
    struct Case {
        std::string what;
        std::map<std::string, std::string> beside;  // files in the root
        bool has_classes;
    };
    const std::vector<Case> cases = {{"nothing", {}, true},
                                     {"a broken picture", {{"broken.png", cut}}, true},
                                     {"two broken pictures", {{"a.png", cut}, {"z.png", cut}}, true},
                                     {"a picture", {{"whole.png", picture()}}, false},
                                     {"a broken picture and one that can be read", {{"a.png", cut}, {"z.png", picture()}}, false},
                                     {"a hidden picture", {{".x.png", picture()}}, true},
                                     {"a format that is not read", {{"x.webp", "RIFF"}}, true},
                                     {"a text", {{"README.md", "pictures"}}, true}};
    for (const Case& item : cases)
        for (const int64_t cache_mb : {0, 1024}) {
            SCOPED_TRACE(fmt::format("{}, cache_mb {}", item.what, cache_mb));
            const TempFolder folder;
            for (const char* name : {"ant/1.png", "bee/1.png"}) put(folder / name, picture());
            for (const auto& [name, bytes] : item.beside) put(folder / name, bytes);
            DatasetOptions options = options_of(folder.path());
            options.cache_mb = cache_mb;
            const auto dataset = open_dataset(options, 0, 2);
            EXPECT_EQ(dataset->class_names(),
                      item.has_classes ? (std::vector<std::string>{"ant", "bee"}) : std::vector<std::string>{});
            EXPECT_EQ(dataset->label(0), item.has_classes ? 0 : -1);
            if (!item.beside.contains("broken.png")) continue;
            EXPECT_EQ(dataset->size(), 2);
            EXPECT_SAYS(dataset->notes(), "1 picture that can't be read");
            options.on_broken = "error";
            EXPECT_SAYS(error_of([&] { open_dataset(options, 0, 1); }), (folder / "broken.png").string());
        }
}

TEST(LeftOut, AFolderThatMayNotBeSearchedIsRefused) {
    const TempFolder folder;
    fs::permissions(folder.path(), fs::perms(0755));
    put(folder / "1.png", picture());
    put(folder / "x/y/2.png", picture());
    fs::permissions(folder / "x", fs::perms(0644));
    expect_refused_to_nobody([&] {
        const std::string said = error_of([&] { open_dataset(options_of(folder.path()), 0, 1); });
        if (said.find("x/y: can't read: Permission denied") != said.npos) user_error(said);
    });
    fs::permissions(folder / "x", fs::perms(0755));
}

TEST(LeftOut, WhatIsNoPictureIsNotSpokenOf) {
    const TempFolder folder;
    put(folder / "x/a.png", picture());
    for (const char* name : {"x/notes.txt", "labels.csv", "Thumbs.db", "x/desktop.ini", ".DS_Store", "x/.gitignore", ".git/config",
                             "film.mp4", "notes.txt~", ".notes.txt.swp", "a.json.bak"})
        put(folder / name, "text");
    fs::create_symlink("nowhere", folder / "x/notes.lnk");
    const auto dataset = open_dataset(options_of(folder.path(), "error"), 0, 1);
    EXPECT_EQ(dataset->size(), 1);
    EXPECT_EQ(dataset->notes(), "");
    const DatasetReport report = inspect_dataset(options_of(folder.path()), 0, 1);
    EXPECT_TRUE(report.left_out.empty());
    EXPECT_EQ(report.hidden, 4);
}

// Pictures by wrong, odd or upper-case names are pictures.
TEST(LeftOut, NothingOfWhatIsRead) {
    const TempFolder folder;
    const std::vector<std::string> names = {"x/a.jpg", "x/a.PNG", "x/a.webp", "x/a.txt",  "x/a",
                                            "x/a.zip", "x/a.",    "x/a.b.c",  "x/~a.png", "x/a.png.png"};
    for (const std::string& name : names) put(folder / name, picture());
    fs::create_symlink("a.PNG", folder / "x/link.png");
    const auto dataset = open_dataset(options_of(folder.path(), "error"), 0, 1);
    EXPECT_EQ(dataset->size(), static_cast<int64_t>(names.size()) + 1);
    EXPECT_EQ(dataset->notes(), "");
}

}  // namespace
}  // namespace ddpm::dataset
