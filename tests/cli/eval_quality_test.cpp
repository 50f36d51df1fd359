#include <gtest/gtest.h>

#include "cli/tiny.h"
#include "ddpm/tensorfile/npz.h"

namespace ddpm {
namespace {

// One trained run for all tests of this file.
const Tiny& trained() {
    static const Trained tiny;
    static const bool few = [] {
        NpzWriter writer(tiny.folder / "few.npz");
        writer.begin("arr_0", "|u1", {30, 8, 8, 3});
        for (int i = 0; i < 30; ++i)
            writer.write(std::string(8 * 8 * 3 / 2, static_cast<char>(8 * i)) + std::string(8 * 8 * 3 / 2, '0'));
        writer.commit();
        return true;
    }();
    EXPECT_TRUE(few);
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
                             "floor", ", of real pictures "})
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
    EXPECT_NE(result.out.find("the samples differ from real pictures, by "), std::string::npos) << result.out;
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

TEST(EvalQuality, WithFewRealPicturesTheFloorIsOfTwoHalvesOfTheReferenceAndItSaysWhy) {
    const ProcessResult result = quality({"--ckpt", "runs/tiny", "--n", "60", "--steps", "2", "--json", "halves.json"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_NE(
        result.err.find("the floor is of 50 pictures of the reference beside its other 50: there are 100 real pictures, fewer "
                        "than twice the samples"),
        std::string::npos)
        << result.err;
    const Json json = result_of("halves.json");
    EXPECT_EQ(json.at("protocol").at("n_floor"), 50);
    EXPECT_TRUE(json.at("results")[0].at("floor").is_number());
    EXPECT_TRUE(json.at("protocol").contains("floor_of"));
}

TEST(EvalQuality, WithTooFewRealPicturesThereIsNoFloorAndItSaysWhy) {
    const ProcessResult result =
        quality({"--samples", "few.npz", "--data", "tiny.json", "--set", "dataset.length=40", "--json", "none.json"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("no floor: there are 40 real pictures, fewer than twice the samples"), std::string::npos)
        << result.err;
    EXPECT_TRUE(result_of("none.json").at("results")[0].at("floor").is_null());
    EXPECT_EQ(result_of("none.json").at("protocol").at("n_real"), 40) << "--set changes the configuration";
}

// Samples in an .npz file, as `ddpm sample --format npz` and guided-diffusion write them, count as those in PNGs.
TEST(EvalQuality, SamplesInAnNpzFileAreThoseOfTheFolder) {
    ASSERT_EQ(trained().run({"sample", "--ckpt", "runs/tiny", "--n", "24", "--format", "npz", "--out", "arrays"}).code, 0);
    ASSERT_EQ(trained().run({"sample", "--ckpt", "runs/tiny", "--n", "24", "--out", "pngs"}).code, 0);
    for (const char* more : {"24", "21"}) {
        ASSERT_EQ(
            quality({"--samples", "arrays/samples.npz", "--data", "tiny.json", "--n", more, "--batch", "5", "--json", "npz.json"})
                .code,
            0);
        ASSERT_EQ(quality({"--samples", "pngs", "--data", "tiny.json", "--n", more, "--batch", "5", "--json", "png.json"}).code, 0);
        EXPECT_EQ(result_of("npz.json").at("results"), result_of("png.json").at("results")) << more;
    }
    EXPECT_EQ(result_of("npz.json").at("samples").at("file"), "arrays/samples.npz");
}

}  // namespace
}  // namespace ddpm
