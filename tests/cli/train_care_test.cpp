// Training that looks after itself, as its user meets it.

#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include <unistd.h>

#include <gtest/gtest.h>

#include "cli/tiny.h"
#include "ddpm/report/metrics.h"
#include "ddpm/run/run_folder.h"

namespace ddpm {
namespace {

TEST(TrainCheck, DoesEverythingButTrain) {
    const Tiny tiny;
    const auto before = list_files(tiny.folder.path(), true);
    const ProcessResult result = tiny.train({"--check", "--set", "dataset.holdout=0.1"});
    EXPECT_EQ(result.code, 0) << result.err;
    for (const char* word : {"runs/tiny, step 0 of 6", "90 images", "10 more held out", "UNet2DModel", "memory      about ",
                             "first pass  4 images read in", "loss ", "gradient "})
        EXPECT_NE(result.out.find(word), std::string::npos) << word << "\n" << result.out;
    EXPECT_EQ(list_files(tiny.folder.path(), true), before);
    EXPECT_FALSE(tiny.exists("runs"));
}

// Its first pass is the first step of the run: the same loss, of the same images, t and noise.
TEST(TrainCheck, SeesWhatTheRunWillSee) {
    const Tiny tiny;
    const std::string out = tiny.train({"--check"}).out;
    ASSERT_EQ(tiny.train().code, 0);
    const auto shown = [](const Json& line) {
        char text[100];
        std::snprintf(text, sizeof text, "loss %.4f, gradient %.3f", line.at("loss").get<double>(),
                      line.at("grad_norm").get<double>());
        return std::string(text);
    };
    EXPECT_NE(out.find(shown(read_metrics(tiny.folder / "runs/tiny/metrics.jsonl").front())), std::string::npos) << out;
    fs::remove_all(tiny.folder / step_folder(6));
    const std::string resumed = tiny.train({"--check", "--resume"}).out;
    EXPECT_NE(resumed.find("step 4 of 6"), std::string::npos) << resumed;
    EXPECT_NE(resumed.find(shown(read_metrics(tiny.folder / "runs/tiny/metrics.jsonl")[4])), std::string::npos) << resumed;
}

TEST(TrainCheck, RefusesWhatTrainingWouldRefuse) {
    const Tiny tiny;
    ASSERT_EQ(tiny.train().code, 0);
    EXPECT_EQ(tiny.train({"--check"}).code, 2) << "holds a run already";
    EXPECT_EQ(tiny.train({"--check", "--resume", "--set", "seed=5"}).code, 2);
    EXPECT_EQ(tiny.train({"--check", "--overwrite"}).code, 0);
    EXPECT_TRUE(tiny.exists(step_folder(6)));
    const ProcessResult file = tiny.train({"--check", "--out", "tiny.json/run"});
    EXPECT_EQ(file.code, 2);
    EXPECT_NE(file.err.find("tiny.json: is a file, expected a folder"), std::string::npos) << file.err;
}

TEST(TrainMemory, WhatCannotFitIsRefusedBeforeAnythingIsWritten) {
    const Tiny tiny;
    const ProcessResult result = tiny.train(
        {"--set", "dataset.image_size=256", "--set", "model.attention_resolutions=[]", "--set", "train.batch_size=1000000"});
    EXPECT_EQ(result.code, 2) << result.err;
    EXPECT_EQ(result.error_lines(), 2) << result.err;
    EXPECT_NE(result.err.find("error: train.batch_size: 1000000 images at a time need about "), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("train.gradient_accumulation_steps="), std::string::npos) << result.err;
    EXPECT_FALSE(tiny.exists("runs"));
}

// Compares the forecast with the peak of memory that the system reports. Both are the difference between a larger and a smaller
// batch, and between a larger and a smaller network. The ratio is between 0.75 and 1.25, because malloc keeps holes and the threads
// of the kernels keep scratch memory.
TEST(TrainMemory, TheForecastIsWhatIsTaken) {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "the sanitizer keeps what is freed";
#endif
    const Tiny tiny(R"({"dataset": {"image_size": 32}, "model": {"block_out_channels": [16, 32], "attention_resolutions": []},
                        "train": {"steps": 3, "checkpoint_every": 0, "sample_images": 0}})");
    struct Taken {
        double forecast, measured;  // MiB
    };
    const auto take = [&](std::vector<std::string> settings) {
        settings.insert(settings.begin(), {"--threads", "1", "--overwrite"});
        const ProcessResult run = tiny.train(settings);
        EXPECT_EQ(run.code, 0) << run.err;
        double amount = 0;
        char unit = 0;
        const size_t at = run.err.find("memory: about ");
        EXPECT_TRUE(at != run.err.npos && std::sscanf(&run.err[at], "memory: about %lf %ciB:", &amount, &unit) == 2) << run.err;
        return Taken{amount * (unit == 'G' ? 1024 : 1), static_cast<double>(run.peak_bytes) / (1 << 20)};
    };
    const auto ratio = [](const Taken& large, const Taken& small) {
        const double forecast = large.forecast - small.forecast, measured = large.measured - small.measured;
        EXPECT_GT(measured, 100) << "too little to compare";
        std::printf("forecast %.0f MiB, measured %.0f MiB, ratio %.3f\n", forecast, measured, forecast / measured);
        return forecast / measured;
    };
    const Taken small = take({"--set", "train.batch_size=4"});
    for (const auto& settings : {std::vector<std::string>{"--set", "train.batch_size=128"},
                                 {"--set", "train.batch_size=64", "--set", "train.gradient_accumulation_steps=2"},
                                 {"--set", "train.batch_size=256", "--kernels", "plain"},
                                 {"--set", "train.batch_size=4", "--set", "model.block_out_channels=[128,256]"}}) {
        const double found = ratio(take(settings), small);
        EXPECT_GT(found, 0.75);
        EXPECT_LT(found, 1.25);
    }
}

TEST(TrainTime, StopsByItselfAndSaysHowToGoOn) {
    const Tiny tiny(R"({"train": {"steps": 1000000, "checkpoint_every": 0}})");
    const ProcessResult result = tiny.train({"--max-time", "3s"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("the time is up; `ddpm train --config tiny.json --resume --max-time 3s` goes on"), std::string::npos)
        << result.err;
    EXPECT_TRUE(newest_checkpoint(tiny.folder / "runs/tiny").has_value());
    EXPECT_EQ(newest_checkpoint(tiny.folder / "runs/tiny")->step,
              read_metrics(tiny.folder / "runs/tiny/metrics.jsonl").back().at("step"));
    for (const char* wrong : {"2", "2x", "h", "1m1h", "0s", "-1s", "1.5h"}) {
        const ProcessResult refused = tiny.train({"--resume", "--max-time=" + std::string(wrong)});
        EXPECT_EQ(refused.code, 2) << wrong;
        EXPECT_NE(refused.err.find("--max-time"), std::string::npos) << refused.err;
    }
}

TEST(TrainSignal, Usr1WritesACheckpointAndGoesOn) {
    const Tiny tiny(R"({"train": {"steps": 1000000, "checkpoint_every": 0}})");
    Process process({DDPM_PROGRAM, "train", "--config", "tiny.json"}, tiny.folder.path());
    ASSERT_TRUE(process.wait_for_error("parameters"));
    process.signal(SIGUSR1);
    ASSERT_TRUE(process.wait_for_error("checkpoint written, as asked for"));
    const auto asked = newest_checkpoint(tiny.folder / "runs/tiny");
    ASSERT_TRUE(asked.has_value());
    const auto steps = [&] { return read_metrics(tiny.folder / "runs/tiny/metrics.jsonl").back().at("step").get<int64_t>(); };
    for (int i = 0; i < 15000 && steps() < asked->step + 3; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    process.signal(SIGTERM);
    const ProcessResult result = process.wait();
    EXPECT_EQ(result.code, 143) << result.err;
    EXPECT_GT(newest_checkpoint(tiny.folder / "runs/tiny")->step, asked->step) << "it went on";
}

// As soon as the program runs at all, long before it can write one.
TEST(TrainSignal, Usr1CountsFromTheBeginning) {
    const Tiny tiny(R"({"train": {"checkpoint_every": 0}})");
    Process process({DDPM_PROGRAM, "train", "--config", "tiny.json"}, tiny.folder.path());
    const auto holds_it_back = [&] {
        std::ifstream status("/proc/" + std::to_string(process.id()) + "/status");
        for (std::string line; std::getline(status, line);)
            if (line.rfind("SigBlk:", 0) == 0 || line.rfind("SigCgt:", 0) == 0)
                if ((std::stoull(line.substr(7), nullptr, 16) >> (SIGUSR1 - 1) & 1) != 0) return true;
        return false;
    };
    while (process.alive() && !holds_it_back()) ::usleep(100);
    process.signal(SIGUSR1);
    const ProcessResult result = process.wait();
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("step 1: checkpoint written, as asked for"), std::string::npos) << result.err;
}

TEST(TrainHoldout, KeepsTheBestWhereItIsFound) {
    const Tiny tiny(R"({"dataset": {"holdout": 20}, "train": {"validate_every": 2, "keep_last": 1}})");
    const ProcessResult result = tiny.train();
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("80 images"), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("loss on 20 held-out images"), std::string::npos) << result.err;
    const ProcessResult info = tiny.run({"info", "runs/tiny"});
    EXPECT_NE(info.out.find("best so far step "), std::string::npos) << info.out;
    EXPECT_NE(tiny.run({"info", "runs/tiny/checkpoints/best"}).out.find("step        "), std::string::npos);
    EXPECT_EQ(tiny.run({"sample", "--ckpt", "runs/tiny/checkpoints/best", "--n", "1", "--grid", "grid.png"}).code, 0);
    const ProcessResult none = tiny.train({"--overwrite", "--set", "dataset.holdout=100"});
    EXPECT_EQ(none.code, 2);
    EXPECT_NE(none.err.find("dataset.holdout"), std::string::npos) << none.err;
    EXPECT_TRUE(tiny.exists(step_folder(6))) << "nothing is removed before";
    // A copy that followed links has a folder where the link was.
    const fs::path best = tiny.folder / "runs/tiny/checkpoints/best", target = fs::canonical(best);
    fs::remove(best);
    fs::copy(target, best, fs::copy_options::recursive);
    const ProcessResult copied = tiny.train({"--resume", "--set", "train.steps=8"});
    EXPECT_EQ(copied.code, 0) << copied.err;
    EXPECT_TRUE(fs::is_symlink(best));
}

// A run of before a key was there, or a counter, goes on as if it had had the default.
TEST(TrainResume, AKeyThatHasComeSinceHasItsDefault) {
    const Tiny tiny;
    ASSERT_EQ(tiny.train().code, 0);
    const fs::path file = tiny.folder / step_folder(6) / "training/config.json";
    Json config = parse_json(read_file(file, 1u << 20), "config");
    ASSERT_EQ(config.at("dataset").erase("holdout"), 1u);
    write_file(file, dump_json(config));
    write_file(tiny.folder / step_folder(6) / "training/counters.json", R"({"step": 6})");  // no checksum either
    EXPECT_EQ(tiny.train({"--resume", "--set", "train.steps=8", "--set", "dataset.holdout=5"}).code, 2);
    const ProcessResult resumed = tiny.train({"--resume", "--set", "train.steps=8"});
    EXPECT_EQ(resumed.code, 0) << resumed.err;
}

TEST(TrainDivergence, EndsWithADiagnosis) {
    const Tiny tiny;
    const ProcessResult result =
        tiny.train({"--set", "train.learning_rate=1e30", "--set", "train.steps=100", "--set", "train.warmup_steps=0", "--set",
                    "train.max_rollbacks=1", "--set", "train.nonfinite_patience=3"});
    EXPECT_EQ(result.code, 1) << result.err;
    EXPECT_NE(result.err.find("warning: step 2: loss "), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("back to step 0"), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("\nerror: step "), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("after 1 rollback"), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("t = "), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("\nhint: "), std::string::npos) << result.err;
}

}  // namespace
}  // namespace ddpm
