// `ddpm ema` and --ema-width on a run with train.ema_widths.

#include <map>

#include <ATen/ATen.h>

#include "cli/tiny.h"
#include "ddpm/checkpoint/safetensors.h"
#include "ddpm/image/codec.h"
#include "ddpm/run/snapshots.h"

namespace ddpm {
namespace {

constexpr const char* kWeights = "unet/diffusion_pytorch_model.safetensors";

// A finished run of 12 steps with two averages, whose pictures have labels.
struct Averaged : Tiny {
    Averaged() : Tiny(R"({"model": {"num_class_embeds": 10}, "train": {"ema_widths": [0.05, 0.1], "steps": 12}})") {
        const ProcessResult trained = train();
        EXPECT_EQ(trained.code, 0) << trained.err;
    }
    // Whether two files hold the same tensors under the same names.
    void expect_same_tensors(const fs::path& a, const fs::path& b) const {
        const NamedTensors one = read_safetensors(folder / a), other = read_safetensors(folder / b);
        ASSERT_EQ(one.size(), other.size());
        for (size_t i = 0; i < one.size(); ++i) {
            EXPECT_EQ(one[i].first, other[i].first);
            EXPECT_TRUE(at::equal(one[i].second, other[i].second)) << one[i].first;
        }
    }
};

const Averaged& averaged() {
    static const Averaged run;
    return run;
}

std::string snapshot_file(int64_t step, double width) { return "runs/tiny/ema/" + snapshot_name(step, width); }

TEST(Averages, AtAStepThatTheRunKeptAreTheRunsOwn) {
    const Averaged& run = averaged();
    const ProcessResult result = run.run({"ema", "runs/tiny", "--width", "0.1", "--step", "7"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("as the run kept it"), std::string::npos) << result.err;
    run.expect_same_tensors("runs/tiny-ema-0.1-step-7/" + std::string(kWeights), snapshot_file(7, 0.1));
}

TEST(Averages, AreWrittenAsACheckpointThatDrawsAndNamesItsClasses) {
    const Averaged& run = averaged();
    const ProcessResult made = run.run({"ema", "runs/tiny", "--width", "0.08", "--out", "made"});
    ASSERT_EQ(made.code, 0) << made.err;
    EXPECT_NE(made.err.find("from 24 snapshots: expected error"), std::string::npos) << made.err;
    for (const char* file : {"model_index.json", "scheduler/scheduler_config.json", "unet/config.json", "training/labels.json"})
        EXPECT_TRUE(run.exists(fs::path("made") / file)) << file;
    const ProcessResult info = run.run({"info", "made"});
    ASSERT_EQ(info.code, 0) << info.err;
    EXPECT_NE(info.out.find("average of width 0.08 at step 12"), std::string::npos) << info.out;
    EXPECT_NE(run.run({"info", "--verify", "made"}).out.find("made: sound"), std::string::npos);
    const std::string name = read_json_file(run.folder / "made/training/labels.json").at(1);
    const ProcessResult drawn = run.run({"sample", "--ckpt", "made", "--n", "1", "--label", name, "--out", "drawn"});
    ASSERT_EQ(drawn.code, 0) << drawn.err;
    EXPECT_NE(run.run({"sample", "--ckpt", "made", "--weights", "raw"}).err.find("has no raw weights"), std::string::npos);

    EXPECT_EQ(run.run({"ema", "runs/tiny", "--width", "0.08", "--out", "made"}).code, 2) << "it exists";
    EXPECT_EQ(run.run({"ema", "runs/tiny", "--width", "0.06", "--out", "made", "--overwrite"}).code, 0);
    EXPECT_NE(run.run({"info", "made"}).out.find("average of width 0.06"), std::string::npos);
    EXPECT_EQ(run.run({"ema", "runs/tiny", "--width", "0.06", "--out", "runs/tiny", "--overwrite"}).code, 2) << "it is a run";
}

TEST(Averages, AreSampledFromWithoutFiles) {
    const Averaged& run = averaged();
    ASSERT_EQ(run.run({"ema", "runs/tiny", "--width", "0.07", "--out", "files"}).code, 0);
    const std::vector<std::string> rest{"--n", "2", "--format", "safetensors", "--seed", "4", "--threads", "1"};
    const auto sample = [&](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "sample");
        arguments.insert(arguments.end(), rest.begin(), rest.end());
        const ProcessResult result = run.run(arguments);
        ASSERT_EQ(result.code, 0) << result.err;
    };
    sample({"--ckpt", "files", "--out", "from-files"});
    sample({"--ckpt", "runs/tiny", "--ema-width", "0.07", "--out", "from-run"});
    run.expect_same_tensors("from-files/samples.safetensors", "from-run/samples.safetensors");

    const auto texts = [&](const std::string& out, std::vector<std::string> more) {
        more.insert(more.begin(), {"sample", "--ckpt", "runs/tiny", "--n", "1", "--out", out});
        const ProcessResult result = run.run(more);
        EXPECT_EQ(result.code, 0) << result.err;
        std::map<std::string, std::string> texts;
        for (const auto& [key, value] : read_png_text(run.folder / out / "000000.png")) texts[key] = value;
        return texts;
    };
    auto said = texts("png", {"--ema-width", "0.07"});
    EXPECT_EQ(said["checkpoint"], "runs/tiny") << "of which it can be drawn again";
    EXPECT_EQ(said["ema_width"], "0.07");
    EXPECT_EQ(said["ema_step"], "12") << "the newest";
    said = texts("png7", {"--ema-width", "0.1", "--step", "7"});
    EXPECT_EQ(said["ema_step"], "7");
    ASSERT_EQ(run.run({"ema", "runs/tiny", "--width", "0.1", "--step", "7", "--out", "files7"}).code, 0);
    sample({"--ckpt", "files7", "--out", "from-files7"});
    sample({"--ckpt", "runs/tiny", "--ema-width", "0.1", "--step", "7", "--out", "from-run7"});
    run.expect_same_tensors("from-files7/samples.safetensors", "from-run7/samples.safetensors");
}

TEST(Averages, AreShownAndVerified) {
    const Averaged& run = averaged();
    EXPECT_NE(run.run({"info", "runs/tiny"}).out.find("widths 0.05, 0.1 at 12 steps"), std::string::npos);
    const ProcessResult verified = run.run({"info", "--verify", "runs/tiny"});
    EXPECT_EQ(verified.code, 0);
    EXPECT_NE(verified.out.find(snapshot_file(12, 0.05) + ": sound"), std::string::npos) << verified.out;
}

TEST(Averages, ThatAreDamagedAreNamed) {
    const Averaged run;
    const std::string file = snapshot_file(12, 0.1);
    std::string bytes = run.bytes(file);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
    write_file(run.folder / file, bytes);
    const ProcessResult verified = run.run({"info", "--verify", "runs/tiny"});
    EXPECT_EQ(verified.code, 1);
    EXPECT_NE(verified.out.find(file + ": damaged"), std::string::npos) << verified.out;
    const ProcessResult made = run.run({"ema", "runs/tiny", "--width", "0.1"});
    EXPECT_EQ(made.code, 0) << made.err;
    EXPECT_NE(made.err.find(file + " is damaged"), std::string::npos) << made.err;
    EXPECT_NE(made.err.find("from 23 snapshots"), std::string::npos) << made.err;
}

TEST(Averages, CanNotBeginInTheMiddleOfARun) {
    const Averaged& run = averaged();
    const ProcessResult result = run.train({"--resume", "--set", "train.ema_widths=[0.05]"});
    EXPECT_EQ(result.code, 2);
    EXPECT_NE(result.err.find("train.ema_widths ("), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("can't begin here"), std::string::npos) << result.err;
}

TEST(Averages, GoOnInAnotherOrderOfTheirWidths) {
    const Averaged run;
    const ProcessResult result = run.train({"--resume", "--set", "train.steps=16", "--set", "train.ema_widths=[0.1, 0.05]"});
    ASSERT_EQ(result.code, 0) << result.err;
    const Tiny whole(R"({"model": {"num_class_embeds": 10}, "train": {"ema_widths": [0.05, 0.1], "steps": 16}})");
    ASSERT_EQ(whole.train().code, 0);
    for (const double width : {0.05, 0.1})
        EXPECT_TRUE(run.bytes(snapshot_file(16, width)) == whole.bytes(snapshot_file(16, width))) << width;
}

TEST(Averages, OfAnotherNetworkAreNamed) {
    const Averaged run;
    NamedTensors tensors = read_safetensors(run.folder / snapshot_file(12, 0.1));
    tensors.pop_back();
    write_snapshot(run.folder / "runs/tiny", {20, 20, 0.1, 6.937204}, tensors);
    const ProcessResult verified = run.run({"info", "--verify", "runs/tiny"});
    EXPECT_EQ(verified.code, 1);
    EXPECT_NE(verified.out.find(snapshot_file(20, 0.1) + ": damaged: holds an average of another network"), std::string::npos)
        << verified.out;
    const ProcessResult made = run.run({"ema", "runs/tiny", "--width", "0.08"});
    EXPECT_EQ(made.code, 0) << made.err;
    EXPECT_NE(made.err.find("it is left out"), std::string::npos) << made.err;
    EXPECT_NE(made.err.find("at step 12, from 24 snapshots"), std::string::npos) << made.err;
}

TEST(Averages, AFileInTheirPlaceIsNamed) {
    const Averaged run;
    fs::remove_all(run.folder / "runs/tiny/ema");
    write_file(run.folder / "runs/tiny/ema", "x");
    const ProcessResult verified = run.run({"info", "--verify", "runs/tiny"});
    EXPECT_EQ(verified.code, 1);
    EXPECT_NE(verified.out.find("runs/tiny/ema: damaged: is no folder"), std::string::npos) << verified.out;
}

TEST(Averages, GoWithTheRunThatIsReplaced) {
    const Averaged run;
    ASSERT_EQ(run.train({"--overwrite", "--set", "train.ema_widths=[]"}).code, 0);
    EXPECT_FALSE(run.exists("runs/tiny/ema"));
}

}  // namespace
}  // namespace ddpm
