#include <sys/stat.h>

#include <gtest/gtest.h>

#include "cli/tiny.h"
#include "ddpm/image/codec.h"
#include "ddpm/report/metrics.h"

namespace ddpm {
namespace {

TEST(Train, LeavesARunBehind) {
    const Tiny tiny;
    const ProcessResult result = tiny.train();
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(result.out, "") << "standard output is for results";
    EXPECT_EQ(steps_of(tiny), kSix);
    for (const char* key : {"step", "loss", "grad_norm", "lr", "images_per_second", "time"})
        EXPECT_TRUE(read_metrics(tiny.folder / "runs/tiny/metrics.jsonl").front().contains(key)) << key;
    for (const char* file : {"runs/tiny/config.json", "runs/tiny/loss.png", "runs/tiny/samples/step-000006.png"})
        EXPECT_TRUE(tiny.exists(file)) << file;
    EXPECT_TRUE(tiny.exists(step_folder(6) + "/unet/diffusion_pytorch_model.safetensors"));
    EXPECT_TRUE(tiny.exists(step_folder(6) + "/scheduler/scheduler_config.json"));
    EXPECT_TRUE(tiny.exists(step_folder(6) + "/model_index.json"));
}

TEST(Train, KeepsTheLastAndEveryNth) {
    const Tiny tiny;
    ASSERT_EQ(tiny.train({"--set", "train.keep_last=1", "--set", "train.keep_every=4"}).code, 0);
    EXPECT_FALSE(tiny.exists(step_folder(2)));
    EXPECT_TRUE(tiny.exists(step_folder(4)));
    EXPECT_TRUE(tiny.exists(step_folder(6)));
}

TEST(Train, TheSameSeedMakesTheSameRunAndAnotherDoesNot) {
    const Tiny tiny;
    ASSERT_EQ(tiny.train({"--out", "a"}).code, 0);
    ASSERT_EQ(tiny.train({"--out", "b", "--set", "dataset.workers=3"}).code, 0);
    ASSERT_EQ(tiny.train({"--out", "c", "--set", "seed=1"}).code, 0);
    const std::string weights = "unet/diffusion_pytorch_model.safetensors";
    EXPECT_EQ(tiny.bytes(step_folder(6, "a") + "/" + weights), tiny.bytes(step_folder(6, "b") + "/" + weights));
    EXPECT_NE(tiny.bytes(step_folder(6, "a") + "/" + weights), tiny.bytes(step_folder(6, "c") + "/" + weights));
    EXPECT_EQ(tiny.bytes("a/samples/step-000006.png"), tiny.bytes("b/samples/step-000006.png"));
}

// With dropout, accumulation and label drop, so that every random stream takes part.
TEST(Train, AResumedRunIsTheRunThatNeverStopped) {
    const Tiny tiny(R"({"model": {"dropout": 0.1, "num_class_embeds": 11},
                        "train": {"gradient_accumulation_steps": 2, "class_dropout": 0.2}})");
    ASSERT_EQ(tiny.train({"--out", "whole"}).code, 0);
    ASSERT_EQ(tiny.train({"--out", "parts"}).code, 0);
    fs::remove_all(tiny.folder / step_folder(6, "parts"));  // what a kill before the last checkpoint leaves
    fs::create_directory(tiny.folder / "parts/checkpoints/.step-000006.partial");
    const ProcessResult resumed = tiny.train({"--out", "parts", "--resume"});
    ASSERT_EQ(resumed.code, 0) << resumed.err;
    EXPECT_NE(resumed.err.find("step-000004"), std::string::npos) << resumed.err;
    EXPECT_EQ(steps_of(tiny, "parts"), kSix);
    EXPECT_FALSE(tiny.exists("parts/checkpoints/.step-000006.partial"));
    for (const auto& file : list_files(tiny.folder / step_folder(6, "whole"), true)) {
        const fs::path name = file.lexically_relative(tiny.folder / step_folder(6, "whole"));
        EXPECT_EQ(tiny.bytes(step_folder(6, "whole") / name), tiny.bytes(step_folder(6, "parts") / name)) << name;
    }
    EXPECT_EQ(tiny.bytes("whole/samples/step-000006.png"), tiny.bytes("parts/samples/step-000006.png"));
}

// "auto" is settled once a run: what it means on another machine must not change it.
TEST(Train, PrecisionAutoIsSettledOnce) {
    const Tiny tiny(R"({"train": {"precision": "auto", "steps": 2}})");
    const ProcessResult begun = tiny.train({"--kernels", "plain"});
    ASSERT_EQ(begun.code, 0) << begun.err;
    EXPECT_NE(begun.err.find("train.precision auto: fp32 on this machine"), std::string::npos) << begun.err;
    EXPECT_NE(tiny.bytes("runs/tiny/config.json").find(R"("precision": "fp32")"), std::string::npos);
    const ProcessResult resumed = tiny.train({"--resume", "--set", "train.steps=4"});
    EXPECT_EQ(resumed.code, 0) << resumed.err;
    EXPECT_NE(resumed.err.find("train.precision auto: fp32, as this run was begun"), std::string::npos) << resumed.err;
    const ProcessResult drawn = tiny.run({"sample", "--ckpt", "runs/tiny", "--n", "1", "--precision", "auto"});
    EXPECT_EQ(drawn.code, 0) << drawn.err;
    EXPECT_NE(drawn.err.find("--precision auto: "), std::string::npos) << drawn.err;
}

TEST(Train, WarnsOfPicturesThatSamplingCantBeginWith) {
    const Tiny tiny(R"({"diffusion": {"schedule": "scaled_linear", "timesteps": 100}, "train": {"steps": 1}})");
    for (const std::vector<std::string>& more : {std::vector<std::string>{"--check"}, {}}) {
        const ProcessResult murky = tiny.train(more);
        EXPECT_EQ(murky.code, 0) << murky.err;
        EXPECT_NE(murky.err.find("diffusion.schedule \"scaled_linear\": √ᾱ = 0.70 of the picture is left"), std::string::npos)
            << murky.err;
    }
    const std::vector<std::string> middle{"--out", "b", "--set", "diffusion.schedule=cosine", "--set", "sample.steps=51"};
    for (const std::string check : {"--check", "--deterministic"}) {
        std::vector<std::string> taken = middle, refused = middle;
        taken.insert(taken.end(), {check, "--set", "sample.timestep_spacing=null"});
        refused.insert(refused.end(), {check, "--set", "sample.timestep_spacing=leading"});
        const ProcessResult no = tiny.train(refused);
        EXPECT_EQ(no.code, 2);
        EXPECT_NE(no.err.find("--set sample.timestep_spacing: leading spacing of 51 steps begins at t = 50"), std::string::npos)
            << no.err;
        EXPECT_FALSE(tiny.exists("b"));
        const ProcessResult yes = tiny.train(taken);
        EXPECT_EQ(yes.code, 0) << yes.err;
        EXPECT_NE(yes.err.find("sample: leading spacing of 51 steps"), std::string::npos) << yes.err;
    }
}

TEST(Train, NeverTouchesARunUnasked) {
    const Tiny tiny;
    ASSERT_EQ(tiny.train().code, 0);
    const std::string before = tiny.bytes("runs/tiny/metrics.jsonl");
    const ProcessResult again = tiny.train();
    EXPECT_EQ(again.code, 2);
    EXPECT_EQ(again.error_lines(), 2) << again.err;
    EXPECT_EQ(tiny.bytes("runs/tiny/metrics.jsonl"), before);
    EXPECT_EQ(tiny.train({"--overwrite"}).code, 0);
    EXPECT_EQ(steps_of(tiny), kSix);
}

TEST(Train, ResumeOfAFinishedRunSaysSo) {
    const Tiny tiny;
    ASSERT_EQ(tiny.train({"--resume"}).code, 0) << "no run yet: starts at step 0";
    const ProcessResult again = tiny.train({"--resume"});
    EXPECT_EQ(again.code, 0);
    EXPECT_NE(again.err.find("finished"), std::string::npos) << again.err;
    const ProcessResult longer = tiny.train({"--resume", "--set", "train.steps=8"});
    EXPECT_EQ(longer.code, 0) << longer.err;
    EXPECT_EQ(steps_of(tiny).back(), 8);
    const ProcessResult other = tiny.train({"--resume", "--set", "train.learning_rate=1"});
    EXPECT_EQ(other.code, 2);
    EXPECT_NE(other.err.find("train.learning_rate"), std::string::npos) << other.err;
}

TEST(Train, CtrlCWritesACheckpointAndSaysHowToGoOn) {
    for (const auto& [signal, code] : {std::pair{SIGINT, 130}, std::pair{SIGTERM, 143}}) {
        const Tiny tiny(R"({"train": {"steps": 1000000, "checkpoint_every": 0}})");
        Process process({DDPM_PROGRAM, "train", "--config", "tiny.json"}, tiny.folder.path());
        ASSERT_TRUE(process.wait_for_error("parameters"));
        ::usleep(300'000);
        process.signal(signal);
        const ProcessResult result = process.wait();
        EXPECT_EQ(result.code, code) << result.err;
        EXPECT_NE(result.err.find("--resume"), std::string::npos) << result.err;
        EXPECT_EQ(std::distance(fs::directory_iterator(tiny.folder / "runs/tiny/checkpoints"), {}), 1);
    }
}

TEST(Train, WhatItSaysGoesOnGoesOnAsItBegan) {
    const Tiny tiny(R"({"train": {"steps": 1000000}})");
    const ProcessResult result = tiny.train(
        {"--max-time", "1s", "--threads", "1", "--kernels", "plain", "--device", "cpu", "--deterministic", "--out", "a b"});
    EXPECT_EQ(result.code, 0);
    EXPECT_NE(result.err.find("--resume --out 'a b' --max-time 1s --device cpu --threads 1 --kernels plain --deterministic` "
                              "goes on"),
              std::string::npos)
        << result.err;
}

TEST(Program, SaysThatItsFolderIsGone) {
    const TempFolder folder;
    const std::string command = std::string("mkdir gone; cd gone; rmdir ../gone; exec '") + DDPM_PROGRAM + "' --version";
    const ProcessResult result = Process({"/bin/sh", "-c", command}, folder.path()).wait();
    EXPECT_EQ(result.code, 2);
    EXPECT_EQ(result.err, "error: the current folder has been removed; change to another\n");
}

TEST(Train, ALimitOnFileSizesIsAnErrorLikeAFullDisk) {
    const Tiny tiny;
    const std::string command = std::string("ulimit -f 20; exec '") + DDPM_PROGRAM + "' train --config tiny.json";
    const ProcessResult result = Process({"/bin/sh", "-c", command}, tiny.folder.path()).wait();
    EXPECT_EQ(result.code, 1) << result.err;
    EXPECT_NE(result.err.find("File too large"), std::string::npos) << result.err;
    EXPECT_TRUE(fs::is_empty(tiny.folder / "runs/tiny/checkpoints"));
}

TEST(Train, SaysThatItsDataHaveChanged) {
    const Tiny tiny;
    ASSERT_EQ(tiny.train({"--set", "train.steps=4"}).code, 0);
    const fs::path counters = tiny.folder / step_folder(4) / "training/counters.json";
    EXPECT_EQ(read_json_file(counters).at("images"), 100);
    const ProcessResult same = tiny.train({"--resume"});
    EXPECT_EQ(same.err.find("the data set has"), std::string::npos) << same.err;
    fs::create_directory(tiny.folder / "pictures");
    for (const char* name : {"a.pgm", "b.pgm", "c.pgm"}) write_file(tiny.folder / "pictures" / name, "P5 1 1 255\n1");
    const std::vector<std::string> folder{
        "--set", "dataset.type=image_folder", "--set", "dataset.path=pictures", "--out", "pictured", "--resume"};
    ASSERT_EQ(tiny.train(folder).code, 0) << tiny.train(folder).err;
    fs::remove(tiny.folder / "pictures/c.pgm");
    std::vector<std::string> longer = folder;
    longer.insert(longer.end(), {"--set", "train.steps=8"});
    const ProcessResult fewer = tiny.train(longer);
    EXPECT_EQ(fewer.code, 0) << fewer.err;
    EXPECT_NE(fewer.err.find("the data set has 2 images to train on, and had 3 when step-000006 was written"), std::string::npos)
        << fewer.err;
}

// Threads that wait for each other may not spin away the processor of the one that is waited for.
TEST(Program, AsksOpenMPToSpinBriefly) {
    const TempFolder folder;
    ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
    const auto environment = [&](const std::string& set) {
        const std::string command =
            "unset OMP_WAIT_POLICY GOMP_SPINCOUNT; " + set + " exec '" + DDPM_PROGRAM + "' train --config fifo";
        Process process({"/bin/sh", "-c", command}, folder.path());
        // Opened by the program long after it began for the second time.
        const int writer = ::open((folder / "fifo").c_str(), O_WRONLY | O_CLOEXEC);
        std::ifstream file("/proc/" + std::to_string(process.id()) + "/environ");
        const std::string text{std::istreambuf_iterator<char>(file), {}};
        ::close(writer);
        process.wait();
        return std::string(1, '\0') + text;
    };
    EXPECT_NE(environment("").find(std::string("\0GOMP_SPINCOUNT=2000", 20)), std::string::npos);
    EXPECT_EQ(environment("OMP_WAIT_POLICY=passive").find("GOMP_SPINCOUNT"), std::string::npos);
    EXPECT_NE(environment("GOMP_SPINCOUNT=7").find("GOMP_SPINCOUNT=7"), std::string::npos);
}

TEST(Train, BeginsWithOthersWeights) {
    const Tiny tiny;
    ASSERT_EQ(tiny.train({"--out", "first"}).code, 0);
    ASSERT_EQ(tiny.run({"convert", "first", "first.safetensors"}).code, 0);
    const std::string weights = "/unet/diffusion_pytorch_model.safetensors";
    for (const std::string source : {"first", "first.safetensors", "first/checkpoints/step-000006/unet"}) {
        const ProcessResult result =
            tiny.train({"--out", "second", "--overwrite", "--init-from", source, "--set", "seed=1", "--set", "train.keep_every=6"});
        ASSERT_EQ(result.code, 0) << result.err;
        EXPECT_NE(result.err.find("--init-from " + source + ": beginning with its weights"), std::string::npos) << result.err;
        EXPECT_EQ(result.err.find("another schedule"), std::string::npos) << result.err;
        EXPECT_EQ(steps_of(tiny, "second"), kSix);
        // Step 0 is kept: the EMA weights of the source, raw and averaged.
        EXPECT_EQ(tiny.bytes(step_folder(0, "second") + weights), tiny.bytes(step_folder(6, "first") + weights));
        EXPECT_EQ(tiny.bytes(step_folder(0, "second") + "/training/weights.safetensors"),
                  tiny.bytes(step_folder(6, "first") + weights));
        EXPECT_NE(tiny.bytes(step_folder(6, "second") + weights), tiny.bytes(step_folder(6, "first") + weights));
        EXPECT_NE(tiny.run({"info", "second"}).out.find("begun from  " + source), std::string::npos);
    }
    const std::string whole = tiny.bytes(step_folder(6, "second") + weights);
    // A resume needs no weights but the run's own, from whichever step; where none is there it begins with them.
    fs::remove_all(tiny.folder / step_folder(6, "second"));
    fs::remove_all(tiny.folder / step_folder(4, "second"));
    fs::rename(tiny.folder / "first", tiny.folder / "moved");
    const ProcessResult resumed = tiny.train({"--out", "second", "--resume", "--set", "seed=1", "--set", "train.keep_every=6"});
    ASSERT_EQ(resumed.code, 0) << resumed.err;
    EXPECT_EQ(tiny.bytes(step_folder(6, "second") + weights), whole);
    EXPECT_NE(tiny.run({"info", "second"}).out.find("begun from"), std::string::npos);
    fs::remove_all(tiny.folder / step_folder(6, "second"));
    const ProcessResult both =
        tiny.train({"--out", "second", "--resume", "--init-from", "gone", "--set", "seed=1", "--set", "train.keep_every=6"});
    ASSERT_EQ(both.code, 0) << both.err;
    EXPECT_NE(both.err.find("ignored, the run goes on from its own checkpoint"), std::string::npos) << both.err;
    const ProcessResult fresh = tiny.train({"--out", "third", "--resume", "--init-from", "first.safetensors", "--set", "seed=1"});
    ASSERT_EQ(fresh.code, 0) << fresh.err;
    EXPECT_EQ(tiny.bytes(step_folder(6, "third") + weights), whole);
    // A run may begin with the weights of the one that it replaces, under another schedule with a warning.
    const ProcessResult linear =
        tiny.train({"--out", "third", "--overwrite", "--init-from", "third", "--set", "diffusion.schedule=linear"});
    EXPECT_EQ(linear.code, 0) << linear.err;
    EXPECT_NE(linear.err.find("its network learnt another schedule (cosine"), std::string::npos) << linear.err;
}

TEST(Train, RefusesTheWeightsOfAnotherNetwork) {
    const Tiny tiny;
    ASSERT_EQ(tiny.train({"--out", "first"}).code, 0);
    const ProcessResult result = tiny.train({"--out", "first", "--overwrite", "--init-from", "first", "--set",
                                             "model.block_out_channels=[8,24]", "--set", "model.num_class_embeds=10"});
    EXPECT_EQ(result.code, 2);
    EXPECT_EQ(
        result.err.rfind("error: --init-from first: another network than the configuration's: block_out_channels ([8,16] there, "
                         "[8,24] here), num_class_embeds (null there, 10 here)\n",
                         0),
        0u)
        << result.err;
    EXPECT_TRUE(tiny.exists(step_folder(6, "first"))) << "nothing is removed before";
}

// While pictures are drawn too, which may take minutes.
TEST(Train, AStopEndsThePreviewAsWell) {
    const Tiny tiny(R"({"diffusion": {"timesteps": 1000}, "train": {"steps": 4, "sample_every": 2, "sample_images": 1000,
                        "sample_steps": 1000}})");
    Process process({DDPM_PROGRAM, "train", "--config", "tiny.json"}, tiny.folder.path());
    for (int i = 0; i < 1000 && !tiny.exists(step_folder(2)); ++i) ::usleep(20'000);
    ::usleep(300'000);
    process.signal(SIGTERM);
    const ProcessResult result = process.wait();
    EXPECT_EQ(result.code, 143) << result.err;
    EXPECT_EQ(steps_of(tiny), (std::vector<int64_t>{1, 2}));
    EXPECT_FALSE(tiny.exists("runs/tiny/samples/step-000002.png"));
}

// A training's grids are those of `ddpm sample`, by a fast sampler or as section sample says.
TEST(Train, DrawsPreviewsByAFastSamplerUnlessToldOtherwise) {
    for (const bool fast : {true, false}) {
        const Tiny tiny(R"({"diffusion": {"timesteps": 1000}, "sample": {"steps": 7, "clip_range": 1.5}})");
        ASSERT_EQ(tiny.train(fast ? std::vector<std::string>{} : std::vector<std::string>{"--set", "train.sample_steps=0"}).code,
                  0);
        std::vector<std::string> sample{"sample", "--ckpt", "runs/tiny", "--n", "4", "--out", "drawn", "--grid", "grid.png"};
        if (fast) sample.insert(sample.end(), {"--sampler", "dpmpp_2m_sde", "--steps", "20"});
        const ProcessResult drawn = tiny.run(sample);
        ASSERT_EQ(drawn.code, 0) << drawn.err;
        EXPECT_EQ(read_image(tiny.folder / "grid.png").pixels, read_image(tiny.folder / "runs/tiny/samples/step-000006.png").pixels)
            << fast;
    }
}

// A kill between the last checkpoint and what is drawn after it.
TEST(Train, ResumeDrawsWhatAFinishedRunLacks) {
    const Tiny tiny;
    ASSERT_EQ(tiny.train().code, 0);
    fs::remove(tiny.folder / "runs/tiny/loss.png");
    fs::remove(tiny.folder / "runs/tiny/samples/step-000006.png");
    const ProcessResult resumed = tiny.train({"--resume"});
    EXPECT_EQ(resumed.code, 0) << resumed.err;
    EXPECT_TRUE(tiny.exists("runs/tiny/loss.png"));
    EXPECT_TRUE(tiny.exists("runs/tiny/samples/step-000006.png"));
    EXPECT_EQ(steps_of(tiny), kSix);
}

TEST(Train, StandardErrorMayBeClosed) {
    const Tiny tiny;
    const std::string command = "cd '" + tiny.folder.path().string() + "' && " + DDPM_PROGRAM + " train --config tiny.json 2>&-";
    EXPECT_EQ(std::system(command.c_str()), 0);
    EXPECT_EQ(steps_of(tiny), kSix);
}

TEST(Train, WhatIsPrintedIntoAClosedOutputIsNoSuccess) {
    const std::string command = std::string(DDPM_PROGRAM) + " config >&- 2>/dev/null";
    const int status = std::system(command.c_str());
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 1);
}

// In the log as in errors: a line of text stays one.
TEST(Train, APathIsOneLineWhateverItHolds) {
    const Tiny tiny;
    const ProcessResult result = tiny.run({"schedule", "linear", "--csv", "two\nlines.csv"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(result.err, "wrote two\\nlines.csv\n");
}

TEST(Train, ANormOfSingleChannelsIsWarnedAbout) {
    const Tiny tiny;
    EXPECT_EQ(tiny.train({"--out", "a"}).err.find("norm_num_groups"), std::string::npos);
    const ProcessResult lone = tiny.train({"--out", "b", "--set", "model.norm_num_groups=8"});
    EXPECT_EQ(lone.code, 0) << lone.err;
    EXPECT_NE(lone.err.find("--set model.norm_num_groups=2"), std::string::npos) << lone.err;
}

TEST(Train, StretchedDecayIsWarnedAbout) {
    const Tiny tiny(R"({"train": {"lr_schedule": "cosine"}})");
    ASSERT_EQ(tiny.train().code, 0);
    const ProcessResult result = tiny.train({"--resume", "--set", "train.steps=8"});
    EXPECT_EQ(result.code, 0);
    EXPECT_NE(result.err.find("stretched"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace ddpm
