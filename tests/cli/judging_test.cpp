// Samples that are judged while `ddpm train` goes on.

#include <gtest/gtest.h>

#include "cli/tiny.h"

namespace ddpm {
namespace {

constexpr const char* kJudged = R"({"dataset": {"holdout": 30}, "train": {"validate_every": 2},
    "eval": {"every": 2, "n": 25, "features": "pixel", "metrics": "mmd,fd", "reference": 40, "share": 1}})";

// The lines of a run's metrics.jsonl that have a key, without what depends on the clock.
std::vector<Json> lines_with(const Tiny& tiny, const std::string& key, const std::string& run = "runs/tiny") {
    std::vector<Json> found;
    for (Json line : read_metrics(tiny.folder / run / "metrics.jsonl")) {
        for (const char* clock : {"time", "images_per_second", "seconds"}) line.erase(clock);
        if (line.contains(key)) found.push_back(std::move(line));
    }
    return found;
}

TEST(TrainJudging, WritesWhatItMeasuresAndKeepsTheBest) {
    const Tiny tiny(kJudged);
    const ProcessResult result = tiny.train({"--threads", "1"});
    ASSERT_EQ(result.code, 0) << result.err;
    const std::vector<Json> lines = lines_with(tiny, "quality");
    ASSERT_EQ(lines.size(), 3u) << result.err;
    int64_t best = 0;
    double lowest = 1e9;
    for (const Json& line : lines) {
        const Json& quality = line.at("quality");
        ASSERT_EQ(quality.size(), 2u);
        EXPECT_EQ(line.at("decides"), "mmd");
        EXPECT_GT(quality.at("mmd").at("value").get<double>(), quality.at("mmd").at("floor").get<double>())
            << "it has learnt next to nothing";
        EXPECT_GT(quality.at("mmd").at("sd").get<double>(), 0);
        EXPECT_GT(quality.at("fd").at("value").get<double>(), 0);
        EXPECT_GT(line.at("copies").at("expected").get<double>(), 0) << "30 held-out pictures say how near is near";
        const std::string protocol = line.at("protocol");
        EXPECT_NE(protocol.find("25 samples, dpmpp_2m in 20 steps (eta 1, "), std::string::npos) << protocol;
        EXPECT_NE(protocol.find("), 40 real pictures"), std::string::npos) << protocol;
        if (const double value = quality.at("mmd").at("value"); value < lowest) {
            lowest = value;
            best = line.at("step");
        }
    }
    EXPECT_NE(result.err.find("25 samples: mmd "), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("of the time so far"), std::string::npos) << "the cost is told";
    const fs::path link = tiny.folder / "runs/tiny/checkpoints/best-quality";
    EXPECT_EQ("runs/tiny/checkpoints/" + fs::read_symlink(link).string(), step_folder(best));
    EXPECT_TRUE(tiny.exists("runs/tiny/checkpoints/best"));
    EXPECT_NE(tiny.run({"info", "runs/tiny"}).out.find("best judged step " + std::to_string(best) + ", mmd "), std::string::npos);
    EXPECT_EQ(tiny.run({"sample", "--ckpt", "runs/tiny/checkpoints/best-quality", "--n", "1", "--grid", "grid.png"}).code, 0);
    const ProcessResult again = tiny.train({"--overwrite", "--set", "train.steps=2"});
    EXPECT_EQ(again.code, 0) << "the link is part of a run\n" << again.err;
}

TEST(TrainJudging, ChangesNoWeightsAndNoLines) {
    const Tiny tiny(kJudged);
    ASSERT_EQ(tiny.train({"--threads", "1", "--out", "with"}).code, 0);
    ASSERT_EQ(tiny.train({"--threads", "1", "--out", "without", "--set", "eval.every=0"}).code, 0);
    for (const char* name :
         {"training/weights.safetensors", "training/optimizer.safetensors", "unet/diffusion_pytorch_model.safetensors"})
        EXPECT_TRUE(tiny.bytes(step_folder(6, "with") + "/" + name) == tiny.bytes(step_folder(6, "without") + "/" + name)) << name;
    EXPECT_EQ(lines_with(tiny, "loss", "with"), lines_with(tiny, "loss", "without"));
    EXPECT_EQ(lines_with(tiny, "validation", "with"), lines_with(tiny, "validation", "without"));
    EXPECT_TRUE(lines_with(tiny, "quality", "without").empty());
}

// The numbers follow from seed and step, so that a run that was stopped has those of the whole one.
TEST(TrainJudging, AResumedRunHasTheSameNumbers) {
    const Tiny tiny(kJudged);
    ASSERT_EQ(tiny.train({"--threads", "1", "--out", "whole"}).code, 0);
    ASSERT_EQ(tiny.train({"--threads", "1", "--out", "parts", "--set", "train.steps=3"}).code, 0);
    ASSERT_EQ(tiny.train({"--threads", "1", "--out", "parts", "--resume"}).code, 0);
    std::vector<Json> parts = lines_with(tiny, "quality", "parts"), whole = lines_with(tiny, "quality", "whole");
    ASSERT_EQ(parts.size(), 4u) << "step 3 was the last one";
    parts.erase(parts.begin() + 1);
    EXPECT_EQ(parts, whole);
}

// A run of before there was the section goes on without it, and may begin to judge.
TEST(TrainJudging, MayBeginWhereARunGoesOn) {
    const Tiny tiny;
    ASSERT_EQ(tiny.train({"--set", "train.steps=2"}).code, 0);
    const fs::path file = tiny.folder / step_folder(2) / "training/config.json";
    Json config = read_json_file(file);
    ASSERT_EQ(config.erase("eval"), 1u);
    write_file(file, dump_json(config));
    fs::remove(tiny.folder / step_folder(2) / "training/counters.json");
    write_file(tiny.folder / step_folder(2) / "training/counters.json", R"({"step": 2})");
    ASSERT_EQ(tiny.train({"--resume", "--set", "train.steps=4"}).code, 0);
    EXPECT_TRUE(lines_with(tiny, "quality").empty());
    const ProcessResult result = tiny.train({"--resume", "--set", "train.steps=6", "--set", "eval.every=5", "--set", "eval.n=20",
                                             "--set", "eval.features=pixel", "--set", "eval.metrics=mmd"});
    ASSERT_EQ(result.code, 0) << result.err;
    std::vector<int64_t> steps;
    for (const Json& line : lines_with(tiny, "quality")) steps.push_back(line.at("step"));
    EXPECT_EQ(steps, (std::vector<int64_t>{5, 6}));
}

// A training that spoils the network ends where the loss on held-out images has risen.
TEST(TrainJudging, StopsWhenDone) {
    const Tiny tiny(
        R"({"dataset": {"holdout": 20}, "train": {"steps": 60, "validate_every": 2, "learning_rate": 0.5, "warmup_steps": 60,
                                                               "ema_decay": 0.5}})");
    const ProcessResult result = tiny.train({"--stop-when-done"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("the loss on held-out images has risen since step"), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("training stops here (--stop-when-done)"), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("ddpm sample --ckpt runs/tiny/checkpoints/best "), std::string::npos) << result.err;
    const std::vector<Json> done = lines_with(tiny, "done");
    ASSERT_EQ(done.size(), 1u);
    EXPECT_LT(done[0].at("step"), 60);
    EXPECT_TRUE(tiny.exists(step_folder(done[0].at("step"))));
}

TEST(TrainJudging, StandsInTheListOfKeys) {
    const Tiny tiny;
    const ProcessResult result = tiny.run({"config", "eval"});
    EXPECT_EQ(result.code, 0);
    for (const char* key : {"eval.every", "eval.n", "eval.features", "eval.metrics", "eval.reference", "eval.share"})
        EXPECT_NE(result.out.find(key), std::string::npos) << key;
}

}  // namespace
}  // namespace ddpm
