#include <gtest/gtest.h>

#include "cli/tiny.h"

namespace ddpm {
namespace {

// One trained run for all tests of this file.
const Tiny& trained() {
    static const Trained tiny;
    return tiny;
}

ProcessResult quality(std::vector<std::string> more) {
    more.insert(more.begin(), {"eval", "quality", "--real", "60"});
    return trained().run(more);
}

Json result_of(const std::string& file) { return parse_json(trained().bytes(file), file); }

TEST(EvalQuality, SaysNumbersWithIntervalFloorAndProtocol) {
    const ProcessResult result = quality({"--ckpt", "runs/tiny", "--n", "20", "--json", "q.json", "--metrics", "mmd,fd,kid,pr,dc"});
    ASSERT_EQ(result.code, 0) << result.err;
    for (const char* name : {"20 samples beside 60 real pictures", "mmd", "fd", "kid", "precision", "recall", "density", "coverage",
                             "floor", "by mmd the samples"})
        EXPECT_NE(result.out.find(name), std::string::npos) << result.out;
    EXPECT_NE(result.err.find("not comparable across data sets"), std::string::npos) << result.err;
    const Json json = result_of("q.json");
    EXPECT_EQ(json.at("protocol").at("features"), "scatter");
    EXPECT_EQ(json.at("protocol").at("n_real"), 60);
    EXPECT_EQ(json.at("protocol").at("n_fake"), 20);
    EXPECT_EQ(json.at("protocol").at("n_floor"), 20);
    EXPECT_EQ(json.at("protocol").at("reference").at("sha256_of_pixels").get<std::string>().size(), 64u);
    EXPECT_EQ(json.at("samples").at("nfe"), 5);
    ASSERT_EQ(json.at("results").size(), 7u);
    for (const Json& number : json.at("results")) EXPECT_TRUE(number.at("floor").is_number()) << number.dump();
    EXPECT_NE(result.err.find("60 pictures of the reference are few"), std::string::npos) << result.err;
}

// A network of six steps draws noise.
TEST(EvalQuality, NoiseIsFarFromRealPictures) {
    const ProcessResult result = quality({"--ckpt", "runs/tiny", "--n", "20", "--features", "pixel", "--json", "noise.json"});
    ASSERT_EQ(result.code, 0) << result.err;
    const Json mmd = result_of("noise.json").at("results")[0];
    EXPECT_GT(mmd.at("value").get<double>(), 3 * std::abs(mmd.at("floor").get<double>()));
    EXPECT_NE(result.out.find("above the floor"), std::string::npos) << result.out;
    EXPECT_EQ(result.err.find("are few"), std::string::npos) << result.err;
}

// The numbers of a model are those of the PNGs that `ddpm sample` writes of it.
TEST(EvalQuality, AModelAndItsPicturesInAFolderAreJudgedAlike) {
    ASSERT_EQ(trained().run({"sample", "--ckpt", "runs/tiny", "--n", "24", "--out", "drawn"}).code, 0);
    ASSERT_EQ(quality({"--ckpt", "runs/tiny", "--n", "24", "--batch", "7", "--json", "model.json"}).code, 0);
    const ProcessResult folder = quality({"--samples", "drawn", "--data", "tiny.json", "--json", "folder.json"});
    ASSERT_EQ(folder.code, 0) << folder.err;
    const Json model = result_of("model.json"), pictures = result_of("folder.json");
    EXPECT_EQ(pictures.at("protocol").at("n_fake"), 24);
    EXPECT_EQ(model.at("protocol").at("reference").at("sha256_of_pixels"),
              pictures.at("protocol").at("reference").at("sha256_of_pixels"));
    for (size_t i = 0; i < 2; ++i) {
        const double a = model.at("results")[i].at("value"), b = pictures.at("results")[i].at("value");
        EXPECT_NEAR(a, b, 1e-6 * std::abs(a)) << i;
    }
}

// A folder of real pictures and one of samples need no configuration: they are compared at the size of the samples.
TEST(EvalQuality, TwoFoldersAreComparedAtTheSizeOfTheSamples) {
    for (const char* seed : {"1", "2"})
        ASSERT_EQ(
            trained().run({"sample", "--ckpt", "runs/tiny", "--n", "40", "--seed", seed, "--out", std::string("s") + seed}).code,
            0);
    const ProcessResult result =
        quality({"--samples", "s1", "--data", "s2", "--n", "20", "--features", "pixel", "--json", "two.json"});
    ASSERT_EQ(result.code, 0) << result.err;
    const Json json = result_of("two.json");
    EXPECT_EQ(json.at("protocol").at("pictures"), "3x8x8");
    ASSERT_EQ(quality({"--samples", "s1", "--data", "s2", "--n", "20", "--json", "two.json"}).code, 0) << "a result is replaced";
}

TEST(EvalQuality, WithoutEnoughRealPicturesThereIsNoFloorAndItSaysWhy) {
    const ProcessResult result = quality({"--ckpt", "runs/tiny", "--n", "60", "--steps", "2", "--json", "none.json"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("no floor: there are 100 real pictures, fewer than twice the samples"), std::string::npos)
        << result.err;
    EXPECT_TRUE(result_of("none.json").at("results")[0].at("floor").is_null());
}

}  // namespace
}  // namespace ddpm
