#include "ddpm/train/run_config.h"

#include <gtest/gtest.h>

namespace ddpm {
namespace {

Json config() {
    return parse_json(R"({"seed": 0, "dataset": {"path": "a", "workers": 1},
                          "train": {"steps": 10, "lr_schedule": "constant", "keep_last": 3}, "sample": {"steps": 50}})",
                      "config");
}

ResumeChanges judge(const Json& before, const Json& now) {
    std::vector<FieldInfo> keys;
    for (const char* name : {"dataset.path", "dataset.workers", "train.steps", "train.keep_last", "sample.steps"}) {
        keys.push_back({name, {}, {}, {}, {}});
        keys.back().free_on_resume = keys.back().name != "dataset.path" && keys.back().name != "train.steps";
    }
    return judge_changes(before, now, keys);
}

TEST(RunConfig, FindsEveryDifference) {
    Json now = config();
    now["train"]["steps"] = 11;
    now["dataset"].erase("path");
    now["new"] = true;
    const auto changes = compare_configs(config(), now);
    ASSERT_EQ(changes.size(), 3u);
    EXPECT_EQ(changes[0].key, "dataset.path");
    EXPECT_EQ(changes[1].key, "train.steps");
    EXPECT_EQ(changes[2].key, "new");
    EXPECT_TRUE(compare_configs(config(), config()).empty());
}

TEST(RunConfig, AResumeMayChangeWhatDoesNotChangeTheRun) {
    Json now = config();
    now["train"]["keep_last"] = 1;
    now["dataset"]["workers"] = 8;
    now["sample"]["steps"] = 10;
    now["train"]["steps"] = 20;
    const ResumeChanges changes = judge(config(), now);
    EXPECT_TRUE(changes.warnings.empty());
    EXPECT_TRUE(changes.refused.empty()) << changes.refused.front();
}

TEST(RunConfig, AnythingElseIsRefusedByName) {
    Json now = config();
    now["dataset"]["path"] = "b";
    now["seed"] = 1;
    EXPECT_EQ(judge(config(), now).refused,
              (std::vector<std::string>{"seed (0 there, 1 now)", "dataset.path (\"a\" there, \"b\" now)"}));
    now = config();
    now["train"]["steps"] = 9;
    EXPECT_EQ(judge(config(), now).refused, std::vector<std::string>{"train.steps (10 there, 9 now)"});
}

TEST(RunConfig, StretchingADecayIsSaid) {
    Json before = config(), now = config();
    before["train"]["lr_schedule"] = now["train"]["lr_schedule"] = "cosine";
    now["train"]["steps"] = 20;
    const ResumeChanges changes = judge(before, now);
    EXPECT_EQ(changes.warnings.size(), 1u);
    EXPECT_TRUE(changes.refused.empty());
}

TEST(RunConfig, WidthsOfAveragesInAnotherOrderAreTheSame) {
    Json before = config(), now = config();
    before["train"]["ema_widths"] = {0.05, 0.1};
    now["train"]["ema_widths"] = {0.1, 0.05};
    EXPECT_TRUE(judge(before, now).refused.empty());
    for (const Json& other : {Json({0.05}), Json({0.05, 0.2}), Json({0.05, 0.1, 0.2}), Json::array()}) {
        now["train"]["ema_widths"] = other;
        const ResumeChanges changes = judge(before, now);
        ASSERT_EQ(changes.refused.size(), 1u) << other;
        EXPECT_EQ(changes.refused[0].rfind("train.ema_widths (", 0), 0u) << changes.refused[0];
    }
}

}  // namespace
}  // namespace ddpm
