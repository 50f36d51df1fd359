#include <gtest/gtest.h>

#include "cli/tiny.h"
#include "ddpm/image/codec.h"

namespace ddpm {
namespace {

// One trained run for all tests of this file.
const Tiny& trained() {
    static const Tiny tiny;
    static const int code = tiny.train().code;
    EXPECT_EQ(code, 0);
    return tiny;
}

ProcessResult sample(std::vector<std::string> more) {
    more.insert(more.begin(), {"sample", "--ckpt", "runs/tiny"});
    return trained().run(more);
}

std::string text_of(const fs::path& file, const std::string& key) {
    for (const auto& [name, value] : read_png_text(file))
        if (name == key) return value;
    return "";
}

// Largest difference of any pixel.
int difference(const Image& a, const Image& b) {
    EXPECT_EQ(a.pixels.size(), b.pixels.size());
    int largest = 0;
    for (size_t i = 0; i < a.pixels.size(); ++i) largest = std::max(largest, std::abs(a.pixels[i] - b.pixels[i]));
    return largest;
}

TEST(Sample, WritesExactlyNPicturesAndHowTheyWereMade) {
    const ProcessResult result = sample({"--n", "5", "--out", "five", "--seed", "3", "--grid", "grid.png", "--trajectory", "way.png"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("seed 3"), std::string::npos) << "the seed is printed";
    EXPECT_EQ(list_files(trained().folder / "five", true).size(), 5u);
    const fs::path last = trained().folder / "five/000004.png";
    EXPECT_EQ(probe_image(last).width, 8);
    EXPECT_EQ(probe_image(last).channels, 3);
    EXPECT_EQ(text_of(last, "sampler"), "ddim");
    EXPECT_EQ(text_of(last, "steps"), "5");
    EXPECT_EQ(text_of(last, "seed"), "3");
    EXPECT_EQ(text_of(last, "index"), "4");
    EXPECT_NE(text_of(last, "checkpoint").find("step-000006"), std::string::npos);
    EXPECT_TRUE(trained().exists("grid.png"));
    EXPECT_TRUE(trained().exists("way.png"));
}

TEST(Sample, APictureDoesNotDependOnItsCompany) {
    for (const std::string sampler : {"ddim", "ancestral"}) {
        ASSERT_EQ(sample({"--n", "8", "--out", sampler + "8", "--sampler", sampler}).code, 0);
        ASSERT_EQ(sample({"--n", "6", "--batch", "2", "--out", sampler + "6", "--sampler", sampler}).code, 0);
        const Image a = read_image(trained().folder / (sampler + "8") / "000005.png");
        const Image b = read_image(trained().folder / (sampler + "6") / "000005.png");
        EXPECT_LE(difference(a, b), 1) << "equal to rounding of the kernels";
        EXPECT_GT(difference(a, read_image(trained().folder / (sampler + "8") / "000004.png")), 10);
    }
}

TEST(Sample, OverwriteReplacesPicturesAndNothingElse) {
    ASSERT_EQ(sample({"--n", "3", "--out", "o"}).code, 0);
    const ProcessResult refused = sample({"--n", "2", "--out", "o"});
    EXPECT_EQ(refused.code, 2);
    EXPECT_NE(refused.err.find("--overwrite"), std::string::npos) << refused.err;
    ASSERT_EQ(sample({"--n", "2", "--out", "o", "--overwrite"}).code, 0);
    EXPECT_EQ(list_files(trained().folder / "o", true).size(), 2u) << "exactly N";
    write_file(trained().folder / "o/thesis.txt", "years of work");
    EXPECT_EQ(sample({"--n", "2", "--out", "o", "--overwrite"}).code, 2);
    EXPECT_TRUE(trained().exists("o/thesis.txt"));
}

TEST(Sample, FlagsDecideOverTheCheckpoint) {
    ASSERT_EQ(sample({"--n", "1", "--out", "flags", "--sampler", "ancestral", "--steps", "7", "--variance", "fixed_large", "--no-clip",
                      "--weights", "raw"}).code, 0);
    const fs::path file = trained().folder / "flags/000000.png";
    EXPECT_EQ(text_of(file, "sampler"), "ancestral");
    EXPECT_EQ(text_of(file, "steps"), "7");
    EXPECT_EQ(text_of(file, "variance"), "fixed_large");
    EXPECT_EQ(text_of(file, "clip"), "none");
    EXPECT_EQ(text_of(file, "weights"), "raw");
}

TEST(Sample, RefusesWhatTheSamplerOrModelDoesNotHave) {
    for (const auto& [arguments, word] : std::vector<std::pair<std::vector<std::string>, std::string>>{
             {{"--variance", "fixed_large"}, "variance"}, {{"--sampler", "ancestral", "--eta", "1"}, "eta"},
             {{"--steps", "51"}, "51"}, {{"--label", "3"}, "--label"}}) {
        std::vector<std::string> all{"--out", "refused"};
        all.insert(all.end(), arguments.begin(), arguments.end());
        const ProcessResult result = sample(all);
        EXPECT_EQ(result.code, 2) << result.err;
        EXPECT_NE(result.err.find(word), std::string::npos) << result.err;
        EXPECT_FALSE(trained().exists("refused"));
    }
}

TEST(Sample, GreyAndAlphaAndLabels) {
    const Tiny tiny(R"({"dataset": {"channels": 1, "image_size": [8, 12]}, "model": {"num_class_embeds": 10, "attention_resolutions": [6]}, "train": {"steps": 1}})");
    ASSERT_EQ(tiny.train().code, 0);
    ASSERT_EQ(tiny.run({"sample", "--ckpt", "runs/tiny", "--n", "2", "--out", "grey"}).code, 0);
    EXPECT_EQ(probe_image(tiny.folder / "grey/000000.png").channels, 1);
    EXPECT_EQ(probe_image(tiny.folder / "grey/000000.png").width, 12);
    EXPECT_EQ(text_of(tiny.folder / "grey/000001.png", "label"), "1") << "classes in turn";
    ASSERT_EQ(tiny.run({"sample", "--ckpt", "runs/tiny", "--n", "2", "--out", "nine", "--label", "9"}).code, 0);
    EXPECT_EQ(text_of(tiny.folder / "nine/000000.png", "label"), "9");
    EXPECT_EQ(tiny.run({"sample", "--ckpt", "runs/tiny", "--n", "2", "--out", "ten", "--label", "10"}).code, 2);
    EXPECT_EQ(tiny.run({"sample", "--ckpt", "runs/tiny", "--n", "1", "--out", "star", "--label", "star"}).code, 0);

    const Tiny alpha(R"({"dataset": {"channels": 4}, "train": {"steps": 1}})");
    ASSERT_EQ(alpha.train().code, 0);
    ASSERT_EQ(alpha.run({"sample", "--ckpt", "runs/tiny", "--n", "1", "--out", "rgba"}).code, 0);
    EXPECT_EQ(probe_image(alpha.folder / "rgba/000000.png").channels, 4);
}

TEST(Sample, AStopLeavesNothing) {
    Process process({DDPM_PROGRAM, "sample", "--ckpt", "runs/tiny", "--n", "100000", "--out", "stopped"}, trained().folder.path());
    ASSERT_TRUE(process.wait_for_error("seed 0"));
    ::usleep(200'000);
    process.signal(SIGINT);
    const ProcessResult result = process.wait();
    EXPECT_EQ(result.code, 130) << result.err;
    EXPECT_FALSE(trained().exists("stopped"));
    EXPECT_FALSE(trained().exists(".stopped.partial"));
}

}  // namespace
}  // namespace ddpm
