#include <algorithm>

#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "cli/neighbours_data.h"
#include "cli/tiny.h"
#include "ddpm/core/random.h"
#include "ddpm/dataset/holdout.h"
#include "ddpm/image/codec.h"
#include "support/errors.h"

// `ddpm eval neighbours`.

namespace ddpm {
namespace {

constexpr int kSide = 8;

// One trained run for all tests of this file.
const Tiny& trained() {
    static const Trained tiny;
    return tiny;
}

ProcessResult neighbours(const Tiny& tiny, std::vector<std::string> more) {
    more.insert(more.begin(), {"eval", "neighbours"});
    return tiny.run(more);
}

Image noise(uint64_t seed) {
    RandomStream random(seed, Purpose::synthetic);
    Image image = make_image(kSide, kSide, 3);
    for (uint8_t& byte : image.pixels) byte = static_cast<uint8_t>(random.below(256));
    return image;
}

// Moves a picture to the right; the first column is doubled.
Image moved(const Image& image) {
    Image result = image;
    for (int y = 0; y < kSide; ++y) std::copy_n(image.at(0, y), (kSide - 1) * 3, result.at(1, y));
    return result;
}

std::string numbered(const char* head, int i) { return fmt::format("{}{:03}.png", head, i); }

// Folders of noise: train/ of 150 pictures, fresh/ of 120, and samples/ of 60, of which those from 50 on are training pictures
// t050 … t059, every other one moved by a pixel.
struct Folders : Tiny {
    Folders() {
        for (const char* name : {"train", "fresh", "samples"}) make_folders(folder / name);
        for (int i = 0; i < 150; ++i) write_png(folder / "train" / numbered("t", i), picture(i));
        for (int i = 0; i < 120; ++i) write_png(folder / "fresh" / numbered("f", i), picture(1000 + i));
        for (int i = 0; i < 50; ++i) write_png(folder / "samples" / numbered("s", i), picture(2000 + i));
        for (int i = 50; i < 60; ++i) write_png(folder / "samples" / numbered("s", i), i % 2 == 0 ? picture(i) : moved(picture(i)));
    }
    static Image picture(int i) { return noise(static_cast<uint64_t>(i)); }
};

const Folders& folders() {
    static const Folders made;
    return made;
}

Json result_of(const Tiny& tiny, const std::string& file) { return parse_json(tiny.bytes(file), file); }

TEST(EvalNeighbours, SaysWhetherAModelCopies) {
    const Tiny& tiny = trained();
    const ProcessResult result =
        neighbours(tiny, {"--ckpt", "runs/tiny", "--n", "30", "--held-out", "120", "--json", "n.json", "--sheet", "n.png"});
    ASSERT_EQ(result.code, 0) << result.err;
    for (const char* words : {"30 samples beside 100 training pictures and 120 held out", "flagged", "95 % interval", "pixel",
                              "scatter", "authentic", "C_T", "no sign of copies: of 30 samples"})
        EXPECT_SAYS(result.out, words);
    EXPECT_SAYS(result.err, "held out: after dataset.length: 120 pictures of shapes");
    const Json json = result_of(tiny, "n.json");
    EXPECT_EQ(json.at("format"), "ddpm eval neighbours");
    EXPECT_EQ(json.at("schema"), 1);
    EXPECT_EQ(json.at("protocol").at("n_fake"), 30);
    EXPECT_EQ(json.at("protocol").at("n_training"), 100);
    EXPECT_EQ(json.at("protocol").at("n_held_out"), 120);
    EXPECT_EQ(json.at("protocol").at("stands_in"), false);
    EXPECT_EQ(json.at("protocol").at("training").at("sha256_of_pixels").get<std::string>().size(), 64u);
    EXPECT_EQ(json.at("samples").at("nfe"), 5);
    for (const char* measure : {"pixel", "scatter"}) {
        const Json of = json.at("memorisation").at(measure);
        EXPECT_EQ(of.at("accuses"), false);
        EXPECT_NEAR(of.at("expected").get<double>(), 1.0 / 121, 1e-12);
        EXPECT_NEAR(of.at("nearer_to_training_expected").get<double>(), 100.0 / 220, 1e-12);
        EXPECT_TRUE(of.at("c_t").is_number());
    }
    ASSERT_EQ(json.at("most_suspicious").size(), 16u);
    for (const Json& suspect : json.at("most_suspicious")) {
        EXPECT_EQ(suspect.at("sample"), fmt::format("sample {}", suspect.at("index").get<int>()));
        EXPECT_TRUE(suspect.at("pixel").at("held_out").is_string());
    }
    EXPECT_TRUE(is_made_by_ddpm(tiny.folder / "n.png"));
    const ImageHeader sheet = probe_image(tiny.folder / "n.png");
    EXPECT_GE(sheet.height, 16 * 96) << "sixteen rows of enlarged pictures";
    EXPECT_LT(sheet.height, 16 * 192);
    EXPECT_GE(sheet.width, 4 * 72);
}

TEST(EvalNeighbours, FindsTheCopiesInAFolder) {
    const Tiny& tiny = folders();
    const ProcessResult result = neighbours(tiny, {"--samples", "samples", "--data", "train", "--held-out-data", "fresh", "--json",
                                                   "copies.json", "--sheet", "copies.png"});
    ASSERT_EQ(result.code, 0) << "whatever the verdict: " << result.err;
    EXPECT_SAYS(result.out, "60 samples beside 150 training pictures and 120 held out");
    EXPECT_SAYS(result.out, "\ncopies: of 60 samples ");
    EXPECT_SAYS(result.out, "flagged: s0");
    const Json json = result_of(tiny, "copies.json"), pixel = json.at("memorisation").at("pixel");
    EXPECT_EQ(pixel.at("equal"), 10);
    EXPECT_EQ(pixel.at("held_out_equal"), 0);
    EXPECT_EQ(pixel.at("accuses"), true);
    EXPECT_GE(pixel.at("flagged").get<int>(), 10);
    EXPECT_LT(pixel.at("p_value").get<double>(), 0.025);
    EXPECT_EQ(json.at("protocol").at("held_out").get<std::string>().rfind("--held-out-data: 120 pictures", 0), 0u);
    for (size_t i = 0; i < 10; ++i) {
        const Json suspect = json.at("most_suspicious")[i];
        const auto sample = suspect.at("sample").get<std::string>(),
                   training = suspect.at("pixel").at("training").get<std::string>();
        EXPECT_EQ(sample.substr(1), training.substr(1)) << "s053.png is a copy of t053.png";
        EXPECT_EQ(suspect.at("pixel").at("ratio"), 0.0);
        EXPECT_EQ(suspect.at("pixel").at("flagged"), true);
    }
    EXPECT_EQ(json.at("most_suspicious").size(), 16u);
    // The same with one picture at a time, and with one thread.
    ASSERT_EQ(neighbours(tiny, {"--samples", "samples", "--data", "train", "--held-out-data", "fresh", "--json", "again.json",
                                "--batch", "1", "--threads", "1"})
                  .code,
              0);
    const Json again = result_of(tiny, "again.json");
    EXPECT_EQ(again.at("memorisation").at("pixel"), pixel);
    EXPECT_EQ(again.at("most_suspicious")[3].at("pixel"), json.at("most_suspicious")[3].at("pixel"));
}

TEST(EvalNeighbours, FreshPicturesAreNotAccused) {
    const ProcessResult result = neighbours(folders(), {"--samples", "fresh", "--data", "train", "--n", "40"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_SAYS(result.out, "no sign of copies: of 40 samples ");
}

TEST(EvalNeighbours, HeldOutPicturesThatAreCopiesAreSaid) {
    const Tiny& tiny = folders();
    const ProcessResult result = neighbours(tiny, {"--samples", "fresh", "--data", "train", "--held-out-data", "samples",
                                                   "--features", "pixel", "--n", "40", "--json", "fresh.json"});
    ASSERT_EQ(result.code, 0) << result.err;
    const Json json = result_of(tiny, "fresh.json");
    EXPECT_EQ(json.at("memorisation").at("pixel").at("held_out_equal"), 10) << "samples/ holds copies";
    EXPECT_FALSE(json.at("memorisation").contains("scatter"));
    EXPECT_SAYS(result.out, "copies can't be told: of 60 held-out pictures 10 equal a training picture");
    EXPECT_SAYS(result.err, "60 held-out pictures are few");
}

// The run's own hold-out: copies of training pictures are found, copies of held-out ones are none.
TEST(EvalNeighbours, TakesTheHoldoutOfTheRun) {
    const Tiny& tiny = folders();
    const char* const text =
        R"({"seed": 5, "dataset": {"type": "image_folder", "path": "train", "image_size": 8, "holdout": 100}})";
    write_file(tiny.folder / "held.json", text);
    DatasetOptions options;
    options.type = "image_folder";
    options.path = (tiny.folder / "train").string();
    options.height = options.width = kSide;
    const Split split = split_dataset(open_dataset(options, 5, 1), 100, 5);
    for (const char* name : {"of-training", "of-held-out"}) make_folders(tiny.folder / name);
    for (int64_t i = 0; i < 20; ++i) {
        fs::copy_file(tiny.folder / "train" / split.training->name(i), tiny.folder / "of-training" / split.training->name(i));
        fs::copy_file(tiny.folder / "train" / split.held_out->name(i), tiny.folder / "of-held-out" / split.held_out->name(i));
    }
    for (const auto& [samples, equal] : {std::pair{"of-training", 20}, {"of-held-out", 0}}) {
        const ProcessResult result = neighbours(tiny, {"--samples", samples, "--data", "held.json", "--json", "held-result.json"});
        ASSERT_EQ(result.code, 0) << result.err;
        EXPECT_SAYS(result.out, "20 samples beside 50 training pictures and 100 held out");
        EXPECT_SAYS(result.err, "held out: dataset.holdout: 100 pictures of 100 of 150 of image_folder");
        const Json pixel = result_of(tiny, "held-result.json").at("memorisation").at("pixel");
        EXPECT_EQ(pixel.at("equal"), equal);
        EXPECT_EQ(pixel.at("accuses"), equal > 0);
    }
}

TEST(EvalNeighbours, WithoutHeldOutPicturesItSaysSo) {
    const Tiny& tiny = folders();
    const ProcessResult result =
        neighbours(tiny, {"--samples", "samples", "--data", "train", "--json", "alone.json", "--sheet", "alone.png"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_SAYS(result.err, "nothing is held out");
    EXPECT_SAYS(result.out, "150 of them that stand in for held-out ones");
    EXPECT_SAYS(result.out, "\ncopies: of 60 samples ");
    const Json json = result_of(tiny, "alone.json");
    EXPECT_EQ(json.at("protocol").at("stands_in"), true);
    EXPECT_TRUE(json.at("protocol").at("held_out").is_null());
    EXPECT_TRUE(json.at("memorisation").at("pixel").at("nearer_to_training").is_null());
    EXPECT_TRUE(json.at("memorisation").at("pixel").at("c_t").is_null());
    EXPECT_EQ(json.at("memorisation").at("pixel").at("equal"), 10);
    EXPECT_TRUE(json.at("most_suspicious")[0].at("pixel").at("held_out").is_null());
    EXPECT_TRUE(tiny.exists("alone.png"));
}

// The numbers of a model are those of the PNGs that `ddpm sample` writes of it.
TEST(EvalNeighbours, AModelAndItsPicturesInAFolderAreJudgedAlike) {
    const Tiny& tiny = trained();
    ASSERT_EQ(tiny.run({"sample", "--ckpt", "runs/tiny", "--n", "24", "--out", "drawn"}).code, 0);
    ASSERT_EQ(neighbours(tiny, {"--ckpt", "runs/tiny", "--n", "24", "--features", "pixel", "--json", "model.json"}).code, 0);
    const ProcessResult folder =
        neighbours(tiny, {"--samples", "drawn", "--data", "tiny.json", "--features", "pixel", "--json", "folder.json"});
    ASSERT_EQ(folder.code, 0) << folder.err;
    const Json model = result_of(tiny, "model.json"), pictures = result_of(tiny, "folder.json");
    EXPECT_EQ(model.at("memorisation"), pictures.at("memorisation"));
    EXPECT_EQ(model.at("protocol"), pictures.at("protocol"));
    EXPECT_EQ(model.at("most_suspicious")[0].at("pixel"), pictures.at("most_suspicious")[0].at("pixel"));
}

// A sheet that lies in the run's folder is shown on its page, and stands in the way of nothing.
TEST(EvalNeighbours, ASheetInTheRunIsShownOnItsPage) {
    const Trained tiny;
    ASSERT_EQ(neighbours(tiny, {"--ckpt", "runs/tiny", "--n", "2", "--steps", "1", "--sheet", "runs/tiny/neighbours.png"}).code, 0);
    ASSERT_EQ(tiny.run({"report", "runs/tiny", "--out", "page.html"}).code, 0);
    EXPECT_SAYS(tiny.bytes("page.html"), "Nearest pictures of the training data");
    EXPECT_EQ(tiny.train({"--resume", "--set", "train.steps=8"}).code, 0);
    EXPECT_EQ(tiny.run({"info", "--verify", "runs/tiny"}).code, 0);
    EXPECT_EQ(tiny.train({"--overwrite"}).code, 0);
    EXPECT_TRUE(tiny.exists("runs/tiny/neighbours.png")) << "training removes only what it has made";
}

TEST(NeighbourData, OfMnistTheOtherSplitIsHeldOut) {
    const Folders& tiny = folders();
    make_folders(tiny.folder / "mnist");
    const auto idx = [&](const char* head, int count) {
        std::string images{0, 0, 8, 3, 0, 0, 0, static_cast<char>(count), 0, 0, 0, 28, 0, 0, 0, 28};
        for (int i = 0; i < count * 28 * 28; ++i) images += static_cast<char>(i * 7 % 251);
        std::string labels{0, 0, 8, 1, 0, 0, 0, static_cast<char>(count)};
        labels.resize(labels.size() + static_cast<size_t>(count), '\1');
        write_file(tiny.folder / "mnist" / (std::string(head) + "-images-idx3-ubyte"), images);
        write_file(tiny.folder / "mnist" / (std::string(head) + "-labels-idx1-ubyte"), labels);
    };
    idx("train", 12);
    cli::NamedData named;
    named.options.type = "mnist";
    named.options.path = (tiny.folder / "mnist").string();
    named.options.height = named.options.width = 28;
    named.options.channels = 1;
    named.options.random_flip = true;
    const cli::NeighbourData alone = cli::open_neighbour_data(named, "", 100, 1);
    EXPECT_EQ(alone.held_out, nullptr) << "the files of the other split are not there";
    EXPECT_EQ(alone.places.size(), 12u);
    idx("t10k", 9);
    const cli::NeighbourData data = cli::open_neighbour_data(named, "", 4, 1);
    ASSERT_NE(data.held_out, nullptr);
    EXPECT_EQ(data.held_out->size(), 9);
    EXPECT_EQ(data.training->size(), 12);
    EXPECT_EQ(data.places, spread(9, 4));
    EXPECT_TRUE(data.mirrored);
    EXPECT_SAYS(data.held_out_source, "the other split: 4 pictures of mnist, test");
}

}  // namespace
}  // namespace ddpm
