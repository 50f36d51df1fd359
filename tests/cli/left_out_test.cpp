// What is left out of a data set, as who trains on it meets it.

#include <gtest/gtest.h>

#include "cli/tiny.h"
#include "ddpm/image/codec.h"

namespace ddpm {
namespace {

const std::string kWebp("RIFF\1\0\0\0WEBPVP8 ", 16);

void put_picture(const fs::path& file, uint8_t grey = 9) {
    make_folders(file.parent_path());
    write_png(file, make_image(8, 8, 3, grey));
}

Tiny folder_of_pictures(const std::string& model = "{}") {
    return Tiny(R"({"dataset": {"type": "image_folder", "path": "pictures"}, "model": )" + model + "}");
}

// How often it is said.
size_t times_said(const ProcessResult& result) {
    size_t count = 0;
    for (size_t at = result.err.find(" left out "); at != std::string::npos; at = result.err.find(" left out ", at + 1)) ++count;
    return count;
}

TEST(LeftOut, IsOneLineOfTrainingAndOfLooking) {
    const Tiny tiny = folder_of_pictures();
    put_picture(tiny.folder / "pictures/1.png");
    for (const char* name : {"a.webp", "b.WEBP", "c.tif"}) write_file(tiny.folder / "pictures" / name, kWebp);
    write_file(tiny.folder / "pictures/1.png~", "x");
    write_file(tiny.folder / "pictures/all.zip", "x");
    const std::string counts = "3 pictures of formats that are not read (3 WebP), 1 back-up copy, 1 archive (all.zip)";
    for (const std::string flag : {"--check", "--quiet"}) {
        const ProcessResult trained = tiny.train({flag});
        EXPECT_EQ(trained.code, 0) << trained.err;
        EXPECT_NE(trained.err.find("pictures: 1 picture taken, left out " + counts + "; the first: pictures/a.webp"),
                  std::string::npos)
            << trained.err;
        EXPECT_EQ(times_said(trained), 1u) << trained.err;
    }
    const ProcessResult looked = tiny.run({"data", "pictures", "--sheet", "sheet.png"});
    EXPECT_EQ(looked.code, 0);
    EXPECT_NE(looked.out.find("left out  " + counts), std::string::npos) << looked.out;
    EXPECT_EQ(times_said(looked), 0u) << "it is said in the report";
    const ProcessResult judged = tiny.run({"eval", "bpd", "--ckpt", "runs/tiny", "--n", "1"});
    EXPECT_EQ(times_said(judged), 1u) << judged.err;
    for (const char* verb : {"train", "data"}) {
        std::vector<std::string> arguments{verb, "tiny.json", "--set", "dataset.on_broken=error"};
        if (verb == std::string("train"))
            arguments = {verb, "--config", "tiny.json", "--out", "other", "--set", "dataset.on_broken=error"};
        const ProcessResult refused = tiny.run(arguments);
        EXPECT_EQ(refused.code, 2);
        EXPECT_NE(refused.err.find("error: pictures/a.webp: WebP is not supported"), std::string::npos) << refused.err;
        EXPECT_NE(refused.err.find("(4 more are left out)"), std::string::npos) << refused.err;
    }
    EXPECT_FALSE(tiny.exists("other"));
}

TEST(LeftOut, AnEmptyClassIsRefusedWhereLabelsCount) {
    const Tiny tiny = folder_of_pictures(R"({"num_class_embeds": 4})");
    for (const char* name : {"ant", "cat", "dog"}) put_picture(tiny.folder / "pictures" / name / "1.png");
    make_folders(tiny.folder / "pictures/bee/deep/below");
    const auto refused = [&](std::vector<std::string> more) {
        const ProcessResult result = tiny.train(std::move(more));
        EXPECT_EQ(result.code, 2);
        EXPECT_EQ(result.err.rfind("error: pictures/bee: a class's subfolder without a picture", 0), 0u) << result.err;
        EXPECT_FALSE(tiny.exists("runs"));
    };
    refused({});
    refused({"--check"});
    write_file(tiny.folder / "pictures/bee/x.webp", kWebp);
    refused({});
    write_file(tiny.folder / "pictures/bee/y.png", "junk");
    refused({"--set", "dataset.cache_mb=0"});
    const fs::path torn = tiny.folder / "pictures/bee/y.png";
    put_picture(torn);
    write_file(torn, read_file(torn, 1 << 20).substr(0, 60));
    refused({"--set", "dataset.cache_mb=0"});
    const ProcessResult unlabelled = tiny.train({"--set", "model.num_class_embeds=null"});
    EXPECT_EQ(unlabelled.code, 0) << unlabelled.err;
    EXPECT_NE(unlabelled.err.find("1 subfolder without a picture (bee)"), std::string::npos) << unlabelled.err;
}

TEST(LeftOut, ADanglingLinkInThePlaceOfAClassIsRefused) {
    const Tiny tiny = folder_of_pictures(R"({"num_class_embeds": 3})");
    for (const char* name : {"ant", "cat"}) put_picture(tiny.folder / "pictures" / name / "1.png");
    fs::create_directory_symlink("/nowhere/bee", tiny.folder / "pictures/bee");
    const ProcessResult result = tiny.train();
    EXPECT_EQ(result.code, 2);
    EXPECT_EQ(result.err.rfind("error: pictures/bee: a class's subfolder without a picture", 0), 0u) << result.err;
}

TEST(LeftOut, LookingWarnsOfTwoClassesOfOneName) {
    const Tiny tiny = folder_of_pictures();
    for (const char* name : {"\xc3\xbc"
                             "ber",
                             "u\xcc\x88"
                             "ber"})
        put_picture(tiny.folder / "pictures" / name / "1.png");
    const ProcessResult looked = tiny.run({"data", "pictures"});
    EXPECT_EQ(looked.code, 0) << looked.err;
    EXPECT_NE(looked.err.find("two classes are called"), std::string::npos) << looked.err;
}

TEST(LeftOut, AClassThatLosesItsPicturesKeepsItsNumber) {
    const Tiny tiny = folder_of_pictures(R"({"num_class_embeds": 3})");
    for (const char* name : {"ant", "bee", "cat"}) put_picture(tiny.folder / "pictures" / name / "1.png");
    ASSERT_EQ(tiny.train().code, 0);
    write_file(tiny.folder / "pictures/bee/1.png", "torn");
    const ProcessResult resumed = tiny.train({"--resume", "--set", "train.steps=8"});
    EXPECT_EQ(resumed.code, 0) << resumed.err;
    EXPECT_NE(resumed.err.find("1 subfolder without a picture (bee)"), std::string::npos) << resumed.err;
    EXPECT_EQ(read_json_file(tiny.folder / step_folder(8) / "training/labels.json"), Json({"ant", "bee", "cat"}));
    fs::remove_all(tiny.folder / "pictures/bee");
    EXPECT_EQ(tiny.train({"--resume", "--set", "train.steps=10"}).code, 2) << "it is gone";
}

// An older program let an empty class vanish: its run goes on with the numbers that it has.
TEST(LeftOut, ARunThatBeganWithAnEmptyClassGoesOn) {
    const Tiny tiny = folder_of_pictures(R"({"num_class_embeds": 2})");
    for (const char* name : {"ant", "cat"}) put_picture(tiny.folder / "pictures" / name / "1.png");
    ASSERT_EQ(tiny.train().code, 0);
    make_folders(tiny.folder / "pictures/bee");
    const ProcessResult resumed = tiny.train({"--resume", "--set", "train.steps=8"});
    EXPECT_EQ(resumed.code, 0) << resumed.err;
    EXPECT_EQ(read_json_file(tiny.folder / step_folder(8) / "training/labels.json"), Json({"ant", "cat"}));
}

// The data set is the folder that the runs are in.
TEST(LeftOut, RunsAmongThePicturesAreNotTrainedOn) {
    const Tiny tiny(R"({"dataset": {"type": "image_folder", "path": "."}, "train": {"sample_every": 2}})");
    for (const char* name : {"1.png", "2.png"}) put_picture(tiny.folder / name);
    const auto images = [&](int64_t step, const std::string& run) {
        return read_json_file(tiny.folder / step_folder(step, run) / "training/counters.json").at("images").get<int64_t>();
    };
    const ProcessResult first = tiny.train({"--out", "runs/a"});
    ASSERT_EQ(first.code, 0) << first.err;
    EXPECT_EQ(times_said(first), 0u) << first.err;
    ASSERT_EQ(
        tiny.run({"sample", "--ckpt", "runs/a", "--n", "2", "--out", "drawn", "--grid", "grid.png", "--trajectory", "way.png"})
            .code,
        0);
    ASSERT_EQ(tiny.run({"eval", "bpd", "--ckpt", "runs/a", "--n", "1", "--plot", "bpd.png"}).code, 0);
    ASSERT_EQ(tiny.run({"schedule", "--plot", "schedule.png"}).code, 0);
    ASSERT_EQ(tiny.run({"noise-preview", "1.png", "--T", "50", "--out", "noise.png"}).code, 0);
    const ProcessResult second = tiny.train({"--out", "runs/b", "--set", "dataset.on_broken=error"});
    ASSERT_EQ(second.code, 0) << second.err;
    EXPECT_NE(second.err.find("2 pictures taken, left out 7 pictures that this program has made, 1 run of this program (a)"),
              std::string::npos)
        << second.err;
    const ProcessResult resumed = tiny.train({"--out", "runs/a", "--resume", "--set", "train.steps=8"});
    EXPECT_EQ(resumed.code, 0) << resumed.err;
    for (const auto& [step, run] : {std::pair(6, "runs/b"), std::pair(8, "runs/a")}) EXPECT_EQ(images(step, run), 2);
    EXPECT_EQ(tiny.run({"data", "."}).out.rfind("2 images", 0), 0u);
    // The folder of the run is the data set's.
    const ProcessResult here = tiny.train({"--out", "."});
    ASSERT_EQ(here.code, 0) << here.err;
    EXPECT_EQ(tiny.train({"--out", ".", "--resume", "--set", "train.steps=8"}).code, 0);
    EXPECT_EQ(images(8, "."), 2);
}

TEST(LeftOut, SamplesAloneAreADataSet) {
    const Tiny tiny;
    ASSERT_EQ(tiny.train({"--out", "r"}).code, 0);
    ASSERT_EQ(tiny.run({"sample", "--ckpt", "r", "--n", "3", "--out", "pictures"}).code, 0);
    const ProcessResult trained = tiny.train({"--set", "dataset.type=image_folder", "--set", "dataset.path=pictures", "--check"});
    EXPECT_EQ(trained.code, 0) << trained.err;
    EXPECT_NE(trained.err.find("3 pictures, all of which this program has made"), std::string::npos) << trained.err;
}

}  // namespace
}  // namespace ddpm
