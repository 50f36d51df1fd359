// The settings of a run that goes on.

#include <gtest/gtest.h>

#include "cli/tiny.h"

namespace ddpm {
namespace {

// A run that the program of before this rule has begun and ended at step 2, and a configuration that says less than its own.
struct OldRun : Tiny {
    OldRun() {
        make_folders(folder / "runs");
        fs::copy(fs::path(DDPM_SOURCE_DIR) / "tests/data/old_run_config", folder / "runs/old", fs::copy_options::recursive);
        write_file(folder / "short.json", R"({"train": {"steps": 4}})");
    }

    Json settings() const { return read_json_file(folder / "runs/old/config.json"); }
    // What `written` says of the keys that the older program knew. The others must have today's defaults.
    Json known_before(const Json& written, const Json& before) const {
        Json known = written;
        for (const auto& section : written.items()) {
            if (!section.value().is_object()) continue;
            for (const auto& item : section.value().items()) {
                if (before.contains(section.key()) && before.at(section.key()).contains(item.key())) continue;
                const std::string key = section.key() + "." + item.key();
                if (key == "train.sample_steps")
                    EXPECT_EQ(item.value(), 0) << "its pictures are drawn as they were";
                else
                    EXPECT_NE(run({"config", key}).out.find("default " + item.value().dump()), std::string::npos) << key;
                known[section.key()].erase(item.key());
            }
            if (!before.contains(section.key())) known.erase(section.key());
        }
        return known;
    }
    ProcessResult resume(std::vector<std::string> more = {}) const {
        more.insert(more.begin(), {"train", "--config", "short.json", "--out", "runs/old", "--resume"});
        return run(more);
    }
};

TEST(ContinuedRun, KeepsTheSettingsThatTheConfigurationLeavesOut) {
    const OldRun old;
    Json expected = old.settings();
    const ProcessResult result = old.resume();
    ASSERT_EQ(result.code, 0) << result.err;
    expected["train"]["steps"] = 4;
    EXPECT_EQ(old.known_before(old.settings(), expected), expected);
    EXPECT_EQ(read_json_file(old.folder / step_folder(4, "runs/old") / "training/config.json"), old.settings());
    std::vector<int64_t> steps;
    for (const Json& line : read_metrics(old.folder / "runs/old/metrics.jsonl")) {
        if (!line.contains("loss")) continue;  // a measurement, or a sign of life
        steps.push_back(line.at("step"));
        EXPECT_EQ(line.at("lr"), 1e-3) << line;
    }
    EXPECT_EQ(steps, (std::vector<int64_t>{1, 2, 3, 4}));
    EXPECT_FALSE(old.exists(step_folder(2, "runs/old"))) << "its train.keep_last is 1";
}

TEST(ContinuedRun, JudgesWhatIsGiven) {
    const OldRun old;
    const Json before = old.settings();
    for (const auto& [assignment, what] : std::vector<std::pair<std::string, std::string>>{
             {"train.learning_rate=2e-4", "train.learning_rate (0.001 there, 0.0002 now)"},
             {"model.dropout=0", "model.dropout (0.1 there, 0.0 now)"},
             {"dataset.image_size=16", "dataset.image_size (8 there, 16 now)"},
             {"seed=0", "seed (7 there, 0 now)"},
             {"train.steps=1", "train.steps (2 there, 1 now)"}}) {
        const ProcessResult result = old.resume({"--set", assignment});
        EXPECT_EQ(result.code, 2);
        EXPECT_NE(result.err.find("--resume: the run was begun with other settings: " + what), std::string::npos) << result.err;
    }
    EXPECT_EQ(old.settings(), before);
    const ProcessResult result = old.resume({"--set", "train.keep_last=5", "--set", "train.learning_rate=1e-3"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(old.settings()["train"]["keep_last"], 5);
    EXPECT_EQ(old.settings()["train"]["sample_images"], before["train"]["sample_images"]);
    EXPECT_TRUE(old.exists(step_folder(2, "runs/old")));
}

// A free setting may contradict one that the run has: the message says where that one stands.
TEST(ContinuedRun, NamesTheRunWhereItsOwnSettingIsInTheWay) {
    const Tiny tiny;
    ASSERT_EQ(tiny.train({"--out", "noisy", "--set", "train.steps=2", "--set", "sample.eta=0.5"}).code, 0);
    const ProcessResult result = tiny.train({"--out", "noisy", "--resume", "--set", "sample.sampler=ancestral"});
    EXPECT_EQ(result.code, 2);
    EXPECT_NE(result.err.find("error: noisy/checkpoints/step-000002: sample.eta: the ancestral sampler has none"),
              std::string::npos)
        << result.err;
    EXPECT_EQ(tiny.train({"--out", "noisy", "--resume", "--set", "sample.sampler=ancestral", "--set", "sample.eta=null"}).code, 0);
}

}  // namespace
}  // namespace ddpm
