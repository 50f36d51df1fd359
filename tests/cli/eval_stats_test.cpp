#include <gtest/gtest.h>

#include "cli/tiny.h"

namespace ddpm {
namespace {

// One trained run for all tests of this file, and statistics of all its 100 pictures in all.npz, of 40 of them in some.npz.
const Tiny& trained() {
    static const Trained tiny;
    static const bool measured = [] {
        const ProcessResult all = tiny.run({"eval", "stats", "--ckpt", "runs/tiny", "--out", "all.npz"});
        EXPECT_EQ(all.code, 0) << all.err;
        EXPECT_NE(all.out.find("all.npz: mean and covariance of 100 pictures"), std::string::npos) << all.out;
        return tiny.run({"eval", "stats", "--data", "tiny.json", "--n", "40", "--batch", "7", "--out", "some.npz"}).code == 0;
    }();
    EXPECT_TRUE(measured);
    return tiny;
}

ProcessResult quality(std::vector<std::string> more) {
    more.insert(more.begin(), {"eval", "quality"});
    return trained().run(more);
}

Json result_of(const std::string& file) { return parse_json(trained().bytes(file), file); }

void expect_same_results(const Json& one, const Json& other) {
    ASSERT_EQ(one.at("results").size(), other.at("results").size());
    for (size_t i = 0; i < one.at("results").size(); ++i)
        for (const char* key : {"value", "sd", "floor", "floor_sd"}) {
            const double a = one.at("results")[i].at(key), b = other.at("results")[i].at(key);
            EXPECT_NEAR(a, b, 1e-6 * std::abs(a)) << i << " " << key;
        }
}

// With 60 samples of 100 real pictures the reference is all of them, so the numbers beside the file are those beside the pictures.
TEST(EvalStats, NumbersBesideTheFileAreThoseBesideThePictures) {
    ASSERT_EQ(quality({"--ckpt", "runs/tiny", "--n", "60", "--metrics", "mmd,fd,pr", "--json", "pictures.json"}).code, 0);
    const ProcessResult file =
        quality({"--ckpt", "runs/tiny", "--n", "60", "--metrics", "mmd,fd,pr", "--ref", "all.npz", "--json", "file.json"});
    ASSERT_EQ(file.code, 0) << file.err;
    const Json beside_file = result_of("file.json"), beside_pictures = result_of("pictures.json");
    expect_same_results(beside_file, beside_pictures);
    EXPECT_EQ(beside_file.at("protocol").at("reference").at("sha256_of_pixels"),
              beside_pictures.at("protocol").at("reference").at("sha256_of_pixels"));
    EXPECT_EQ(beside_file.at("protocol").at("reference").at("file"), "all.npz");
    EXPECT_EQ(beside_file.at("protocol").at("n_real"), 100);
    EXPECT_NE(file.out.find("60 samples beside 100 real pictures"), std::string::npos) << file.out;
}

// The model's other pictures are the floor: 60 of its 100 are not in some.npz.
TEST(EvalStats, TheFloorIsOfPicturesThatTheFileDoesNotHold) {
    const ProcessResult result = quality({"--ckpt", "runs/tiny", "--n", "24", "--ref", "some.npz", "--json", "apart.json"});
    ASSERT_EQ(result.code, 0) << result.err;
    const Json protocol = result_of("apart.json").at("protocol");
    EXPECT_EQ(protocol.at("n_floor"), 24);
    EXPECT_FALSE(protocol.contains("floor_of"));
    const ProcessResult inside = quality({"--ckpt", "runs/tiny", "--n", "24", "--ref", "all.npz", "--json", "inside.json"});
    ASSERT_EQ(inside.code, 0) << inside.err;
    EXPECT_NE(inside.err.find("the floor is of 24 pictures of the reference beside its other 76: 0 of 100 real pictures"),
              std::string::npos)
        << inside.err;
}

TEST(EvalStats, SamplesNeedNoOtherPicturesThanTheFile) {
    ASSERT_EQ(trained().run({"sample", "--ckpt", "runs/tiny", "--n", "30", "--out", "drawn"}).code, 0);
    const ProcessResult result = quality({"--samples", "drawn", "--ref", "all.npz", "--json", "drawn.json"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(result_of("drawn.json").at("protocol").at("pictures"), "3x8x8");
    EXPECT_EQ(result_of("drawn.json").at("protocol").at("n_fake"), 30);
}

TEST(EvalStats, OtherFeaturesThanTheFilesAreRefused) {
    const ProcessResult result =
        quality({"--ckpt", "runs/tiny", "--n", "20", "--steps", "2", "--features", "pixel", "--ref", "all.npz"});
    EXPECT_EQ(result.code, 2);
    EXPECT_NE(result.err.find("--ref: all.npz: its features: \"scatter\", but \"pixel\" is asked for"), std::string::npos)
        << result.err;
}

// A folder's pictures, at a size that is given; the same pictures give the same file.
TEST(EvalStats, OverwriteReplacesSuchAFileAlone) {
    ASSERT_EQ(trained().run({"sample", "--ckpt", "runs/tiny", "--n", "30", "--seed", "5", "--out", "folder"}).code, 0);
    const std::vector<std::string> stats{"eval", "stats",      "--data", "folder", "--size",
                                         "8",    "--features", "pixel",  "--out",  "f.npz"};
    ASSERT_EQ(trained().run(stats).code, 0);
    const std::string bytes = trained().bytes("f.npz");
    const ProcessResult again = trained().run(stats);
    EXPECT_EQ(again.code, 2);
    EXPECT_NE(again.err.find("f.npz: is there already"), std::string::npos) << again.err;
    std::vector<std::string> over = stats;
    over.push_back("--overwrite");
    ASSERT_EQ(trained().run(over).code, 0);
    EXPECT_EQ(trained().bytes("f.npz"), bytes);
    ASSERT_EQ(trained().run({"sample", "--ckpt", "runs/tiny", "--n", "2", "--format", "npz", "--out", "a"}).code, 0);
    over[9] = "a/samples.npz";
    const ProcessResult other = trained().run(over);
    EXPECT_EQ(other.code, 2);
    EXPECT_NE(other.err.find("a/samples.npz: is no file of `ddpm eval stats`, and is not replaced"), std::string::npos)
        << other.err;
}

// guided-diffusion's file has statistics of Inception, so other features are taken of the pictures in it.
TEST(EvalStats, AFileOfPicturesIsAReferenceToo) {
    ASSERT_EQ(trained().run({"sample", "--ckpt", "runs/tiny", "--n", "90", "--steps", "1", "--format", "npz", "--out", "r"}).code,
              0);
    const ProcessResult result =
        quality({"--ckpt", "runs/tiny", "--n", "25", "--features", "pixel", "--ref", "r/samples.npz", "--json", "r.json"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("--ref: the reference is the pictures in r/samples.npz"), std::string::npos) << result.err;
    EXPECT_EQ(result_of("r.json").at("protocol").at("n_real"), 65);
    EXPECT_EQ(result_of("r.json").at("protocol").at("n_floor"), 25);
}

}  // namespace
}  // namespace ddpm
