#include <cmath>
#include <map>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "cli/tiny.h"
#include "ddpm/checkpoint/safetensors.h"
#include "ddpm/image/codec.h"

namespace ddpm {
namespace {

// One trained run for all tests of this file, with pictures a.png and b.png of its size, a larger one, and a mask.
const Tiny& edited_run() {
    static const Trained tiny;
    static const bool made = [] {
        make_folders(tiny.folder / "two");
        for (const auto& [name, first] : {std::pair("a.png", 20), {"two/b.png", 90}, {"two/c.png", 160}}) {
            Image picture = make_image(8, 8, 3);
            for (size_t i = 0; i < picture.pixels.size(); ++i) picture.pixels[i] = static_cast<uint8_t>(first + i / 3);
            write_png(tiny.folder / name, picture);
        }
        write_png(tiny.folder / "large.png", make_image(20, 10, 1, 70));
        Image mask = make_image(8, 8, 1);
        for (int x = 0; x < 8; ++x)
            for (int y = 0; y < 4; ++y) *mask.at(x, y) = 255;
        write_png(tiny.folder / "mask.png", mask);
        write_file(tiny.folder / "two/notes.txt.png", "no picture");
        return true;
    }();
    EXPECT_TRUE(made);
    return tiny;
}

ProcessResult edit(std::vector<std::string> more) {
    more.insert(more.begin(), {"sample", "--ckpt", "runs/tiny"});
    const ProcessResult result = edited_run().run(more);
    EXPECT_EQ(result.code, 0) << result.err;
    return result;
}

at::Tensor pictures_in(const std::string& out) {
    return read_safetensors(edited_run().folder / out / "samples.safetensors").front().second;
}

std::map<std::string, std::string> texts_of(const fs::path& file) {
    std::map<std::string, std::string> texts;
    for (const auto& [name, value] : read_png_text(edited_run().folder / file)) texts[name] = value;
    return texts;
}

TEST(EditedSample, VariantsOfEachPictureOfAFolder) {
    const ProcessResult result = edit({"--init", "two", "--strength", "0.6", "--n", "3", "--out", "i1", "--grid", "i1.png"});
    EXPECT_NE(result.err.find("6 pictures by ddim in 3 steps of 5 from t = 29"), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("number i·3 + j is variant j of picture i"), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("left out 1 picture that can't be read"), std::string::npos) << result.err;
    EXPECT_EQ(list_files(edited_run().folder / "i1", false).size(), 6u);
    auto texts = texts_of("i1/000004.png");
    EXPECT_EQ(texts["init"], "two");
    EXPECT_EQ(texts["init_picture"], "two/c.png");
    EXPECT_EQ(texts["init_crc32"].size(), 8u);
    EXPECT_EQ(texts["variants"], "3");
    EXPECT_EQ(texts["strength"], "0.6");
    EXPECT_EQ(texts["steps"], "5") << "the whole walk, as it has to be asked for again";
    EXPECT_FALSE(texts.contains("from_t"));
    const std::string first = texts_of("i1/000000.png")["init_crc32"], second = texts["init_crc32"];
    texts = texts_of("i1.png");
    EXPECT_EQ(texts["count"], "6");
    EXPECT_EQ(texts["init_crc32"], first + "," + second) << "of both pictures";
    EXPECT_FALSE(texts.contains("init_picture"));
    edit({"--n", "1", "--out", "plain"});
    texts = texts_of("plain/000000.png");
    for (const char* key : {"init", "init_crc32", "strength", "from_t", "mask", "repaint", "interpolate"})
        EXPECT_FALSE(texts.contains(key)) << key;
}

TEST(EditedSample, APictureIsResizedAsTrainingDoesAndSaidSo) {
    const ProcessResult result = edit({"--init", "large.png", "--from-t", "10", "--out", "i2"});
    EXPECT_NE(result.err.find("1 of 1 picture resized to 8 x 8"), std::string::npos) << result.err;
    EXPECT_EQ(texts_of("i2/000000.png")["from_t"], "10");
    EXPECT_EQ(probe_image(edited_run().folder / "i2/000000.png").channels, 3);
}

// Little noise leaves the picture nearly as it is; a picture of a batch does not depend on the others.
TEST(EditedSample, TheStartFollowsFromTheSeedAndTheNumber) {
    const std::vector<std::string> flags{"--init", "two", "--from-t", "20", "--n", "2", "--format", "safetensors", "--no-clip"};
    const auto with = [&](std::vector<std::string> more) {
        more.insert(more.begin(), flags.begin(), flags.end());
        edit(more);
        return pictures_in(more.back());
    };
    const at::Tensor four = with({"--out", "s1"});
    EXPECT_LT((four - with({"--batch", "1", "--out", "s2"})).abs().max().item<double>(), 1e-4);
    EXPECT_GT((four - with({"--seed", "1", "--out", "s3"})).abs().max().item<double>(), 0.01);
    EXPECT_GT((four[0] - four[1]).abs().max().item<double>(), 0.01);
}

TEST(EditedSample, WhatTheMaskKeepsIsThePicture) {
    for (const std::string sampler : {"ancestral", "ddim", "dpmpp_2m", "unipc", "heun"}) {
        edit({"--init", "a.png", "--mask", "mask.png", "--n", "2", "--sampler", sampler, "--out", "m-" + sampler});
        const Image drawn = read_image(edited_run().folder / ("m-" + sampler) / "000001.png"),
                    known = read_image(edited_run().folder / "a.png");
        const size_t half = known.pixels.size() / 2;
        EXPECT_TRUE(std::equal(known.pixels.begin(), known.pixels.begin() + static_cast<long>(half), drawn.pixels.begin()))
            << sampler;
        EXPECT_FALSE(drawn == known) << sampler;
    }
    const ProcessResult repainted = edit({"--init", "a.png", "--mask", "mask.png", "--repaint", "3,2", "--sampler", "ancestral",
                                          "--steps", "10", "--trajectory", "way.png", "--out", "r"});
    EXPECT_NE(repainted.err.find("10 steps (26 evaluations)"), std::string::npos) << repainted.err;
    auto texts = texts_of("r/000000.png");
    EXPECT_EQ(texts["mask"], "mask.png");
    EXPECT_EQ(texts["mask_crc32"].size(), 8u);
    EXPECT_EQ(texts["repaint"], "3,2");
    EXPECT_TRUE(edited_run().exists("way.png"));
}

// A picture may be seen at the first level of a walk that begins with one, but not of one that begins with noise.
TEST(EditedSample, AWalkFromAPictureMayBeginAnywhere) {
    const std::vector<std::string> middle{"--steps", "26", "--spacing", "leading", "--init", "a.png"};
    const auto with = [&](std::vector<std::string> more) {
        more.insert(more.begin(), middle.begin(), middle.end());
        more.insert(more.begin(), {"sample", "--ckpt", "runs/tiny"});
        return edited_run().run(more);
    };
    const ProcessResult begun = with({"--strength", "0.5", "--out", "b1"}), noise = with({"--mask", "mask.png", "--out", "b2"}),
                        all = with({"--strength", "1", "--out", "b3"}), added = with({"--from-t", "40", "--out", "b4"});
    EXPECT_EQ(begun.code, 0) << begun.err;
    EXPECT_NE(begun.err.find("in 13 steps of 26 from t = 12"), std::string::npos) << begun.err;
    EXPECT_EQ(added.code, 0) << added.err;
    EXPECT_NE(added.err.find("in 27 steps from t = 40,"), std::string::npos) << "t = 40 comes before the walk: " << added.err;
    for (const ProcessResult& refused : {noise, all}) {
        EXPECT_EQ(refused.code, 2);
        EXPECT_NE(refused.err.find("--spacing: leading spacing of 26 steps begins at t = 25"), std::string::npos) << refused.err;
    }
}

TEST(EditedSample, WhatIsEncodedIsDrawnAgain) {
    edit({"--encode", "two", "--out", "x.safetensors", "--steps", "25", "--fixed-point", "40"});
    const NamedTensors tensors = read_safetensors(edited_run().folder / "x.safetensors");
    ASSERT_EQ(tensors.size(), 1u);
    EXPECT_EQ(tensors[0].first, "x_T");
    EXPECT_EQ(tensors[0].second.sizes(), (std::vector<int64_t>{2, 3, 8, 8}));
    const std::vector<std::string> back{"--sampler", "ddim", "--eta", "0", "--no-clip", "--steps", "25", "--spacing", "trailing"};
    const auto with = [&](std::vector<std::string> more) {
        more.insert(more.begin(), back.begin(), back.end());
        edit(more);
    };
    with({"--noise", "x.safetensors", "--out", "e1"});
    const Image drawn = read_image(edited_run().folder / "e1/000001.png"), known = read_image(edited_run().folder / "two/c.png");
    for (size_t i = 0; i < known.pixels.size(); ++i) ASSERT_LE(std::abs(drawn.pixels[i] - known.pixels[i]), 2) << i;
    with({"--interpolate", "x.safetensors", "--n", "5", "--out", "e2"});
    EXPECT_EQ(edited_run().bytes("e2/000000.png").empty(), false);
    EXPECT_EQ(read_image(edited_run().folder / "e2/000000.png"), read_image(edited_run().folder / "e1/000000.png"));
    EXPECT_EQ(read_image(edited_run().folder / "e2/000004.png"), drawn);
    EXPECT_EQ(texts_of("e2/000002.png")["position"], "2 of 5");
    EXPECT_EQ(texts_of("e2/000002.png")["interpolate_crc32"], texts_of("e1/000000.png")["noise_crc32"]) << "of one file";
}

TEST(EditedSample, AStripGoesFromOnePictureToAnother) {
    const std::vector<std::string> flags{"--sampler", "unipc", "--steps", "6", "--seed", "4"};
    const auto with = [&](std::vector<std::string> more) {
        more.insert(more.begin(), flags.begin(), flags.end());
        edit(more);
    };
    with({"--n", "3", "--out", "ends"});
    with({"--interpolate", "0,2", "--n", "4", "--out", "strip"});
    const auto at = [](const std::string& file) { return read_image(edited_run().folder / file); };
    EXPECT_EQ(at("strip/000000.png"), at("ends/000000.png"));
    EXPECT_EQ(at("strip/000003.png"), at("ends/000002.png"));
    EXPECT_EQ(texts_of("strip/000001.png")["interpolate"], "0,2");
}

}  // namespace
}  // namespace ddpm
