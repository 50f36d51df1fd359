// Runs that train with another loss than the default, from the first step to pictures and bits.

#include <gtest/gtest.h>

#include "cli/tiny.h"
#include "ddpm/image/codec.h"

namespace ddpm {
namespace {

// The PNGs also hold texts that say where they came from.
bool same_picture(const Tiny& tiny, const std::string& one, const std::string& other) {
    return read_image(tiny.folder / one) == read_image(tiny.folder / other);
}

// A run whose network predicts its variance too.
struct Learned : Tiny {
    Learned()
        : Tiny(R"({"diffusion": {"variance_type": "learned_range"},
                   "train": {"loss_weighting": "min_snr", "input_perturbation": 0.1},
                   "sample": {"sampler": "ancestral"}})") {}
};

TEST(LearnedVariance, TrainsSamplesAndEvaluates) {
    const Learned tiny;
    ASSERT_EQ(tiny.train().code, 0);
    EXPECT_TRUE(tiny.exists("runs/tiny/samples/step-000006.png")) << "the preview of the training";
    const std::string checkpoint = step_folder(6);
    EXPECT_EQ(read_json_file(tiny.folder / checkpoint / "scheduler/scheduler_config.json").at("variance_type"), "learned_range");
    const Json unet = read_json_file(tiny.folder / checkpoint / "unet/config.json");
    EXPECT_EQ(unet.at("in_channels"), 3);
    EXPECT_EQ(unet.at("out_channels"), 6);
    for (const char* sampler : {"ancestral", "ddim", "dpmpp_2m"}) {
        const ProcessResult drawn =
            tiny.run({"sample", "--ckpt", "runs/tiny", "--n", "2", "--steps", "5", "--sampler", sampler, "--out", sampler});
        EXPECT_EQ(drawn.code, 0) << drawn.err;
        EXPECT_TRUE(tiny.exists(std::string(sampler) + "/000001.png"));
    }
    ASSERT_EQ(
        tiny.run({"sample", "--ckpt", "runs/tiny", "--n", "2", "--steps", "5", "--variance", "fixed_small", "--out", "fixed"}).code,
        0);
    EXPECT_FALSE(same_picture(tiny, "fixed/000000.png", "ancestral/000000.png")) << "its own variance is the default";
    const ProcessResult bits = tiny.run({"eval", "bpd", "--ckpt", "runs/tiny", "--n", "2", "--steps", "5"});
    EXPECT_EQ(bits.code, 0) << bits.err;
    EXPECT_NE(bits.err.find("learned_range"), std::string::npos) << bits.err;
    const ProcessResult told = tiny.run({"info", "runs/tiny"});
    EXPECT_EQ(told.code, 0) << told.err;
    EXPECT_NE(told.out.find("learned_range"), std::string::npos) << told.out;
}

TEST(LearnedVariance, AResumedRunIsTheWholeOne) {
    const Learned tiny;
    ASSERT_EQ(tiny.train({"--out", "whole"}).code, 0);
    ASSERT_EQ(tiny.train({"--out", "parts"}).code, 0);
    fs::remove_all(tiny.folder / step_folder(6, "parts"));
    const ProcessResult resumed = tiny.train({"--out", "parts", "--resume"});
    ASSERT_EQ(resumed.code, 0) << resumed.err;
    for (const auto& file : list_files(tiny.folder / step_folder(6, "whole"), true)) {
        const fs::path name = file.lexically_relative(tiny.folder / step_folder(6, "whole"));
        EXPECT_EQ(tiny.bytes(step_folder(6, "whole") / name), tiny.bytes(step_folder(6, "parts") / name)) << name;
    }
    const ProcessResult other = tiny.train({"--out", "parts", "--resume", "--set", "train.loss_weighting=p2"});
    EXPECT_EQ(other.code, 2);
    EXPECT_NE(other.err.find("train.loss_weighting (\"min_snr\" there, \"p2\" now)"), std::string::npos) << other.err;
}

// The keys say what their defaults say: a run that gives them is the run that does not.
TEST(Losses, TheDefaultsChangeNothing) {
    const Tiny tiny;
    ASSERT_EQ(tiny.train({"--out", "without"}).code, 0);
    ASSERT_EQ(tiny.train({"--out", "with", "--set", "train.loss_weighting=simple", "--set", "train.timestep_sampling=uniform",
                          "--set", "train.noise_offset=0", "--set", "train.input_perturbation=0"})
                  .code,
              0);
    for (const auto& file : list_files(tiny.folder / step_folder(6, "without"), true)) {
        const fs::path name = file.lexically_relative(tiny.folder / step_folder(6, "without"));
        EXPECT_EQ(tiny.bytes(step_folder(6, "without") / name), tiny.bytes(step_folder(6, "with") / name)) << name;
    }
}

// The folder without training/ is what others open: there the offset is not known.
TEST(Losses, SamplingKnowsTheOffsetOfTheNoise) {
    const Tiny tiny;
    ASSERT_EQ(tiny.train({"--out", "plain"}).code, 0);
    ASSERT_EQ(tiny.train({"--out", "offset", "--set", "train.noise_offset=0.5"}).code, 0);
    for (const std::string run : {"plain", "offset"}) {
        fs::copy(tiny.folder / step_folder(6, run), tiny.folder / (run + "-bare"), fs::copy_options::recursive);
        fs::remove_all(tiny.folder / (run + "-bare/training"));
        for (const std::string& from : {run, run + "-bare"}) {
            const ProcessResult drawn = tiny.run({"sample", "--ckpt", from, "--n", "1", "--sampler", "ddim", "--steps", "5",
                                                  "--eta", "0", "--spacing", "trailing", "--out", "of-" + from});
            ASSERT_EQ(drawn.code, 0) << drawn.err;
        }
        EXPECT_EQ(same_picture(tiny, "of-" + run + "/000000.png", "of-" + run + "-bare/000000.png"), run == "plain") << run;
    }
}

TEST(Losses, AWeightThatOutweighsAllOthersIsWarnedAbout) {
    const Tiny tiny;
    const ProcessResult result =
        tiny.train({"--check", "--set", "train.loss_weighting=truncated_snr", "--set", "diffusion.timesteps=1000"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("train.loss_weighting \"truncated_snr\": weighs t = 999"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace ddpm
