#include "ddpm/train/run_config.h"

#include <gtest/gtest.h>

#include "support/errors.h"

namespace ddpm {
namespace {

Json config() {
    return parse_json(R"({"seed": 0, "dataset": {"path": "a", "workers": 1},
                          "train": {"steps": 10, "lr_schedule": "constant", "keep_last": 3}, "sample": {"steps": 50}})",
                      "config");
}

std::string refusal(const Json& now) {
    return error_of([&] { check_resumable(config(), now); });
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
    EXPECT_TRUE(check_resumable(config(), now).empty());
}

TEST(RunConfig, AnythingElseIsRefusedByName) {
    Json now = config();
    now["dataset"]["path"] = "b";
    now["seed"] = 1;
    EXPECT_EQ(refusal(now),
              "--resume: the run was begun with other settings: seed (0 there, 1 now), dataset.path (\"a\" there, \"b\" now)");
    now = config();
    now["train"]["steps"] = 9;
    EXPECT_NE(refusal(now).find("train.steps (10 there, 9 now)"), std::string::npos);
}

TEST(RunConfig, StretchingADecayIsSaid) {
    Json before = config(), now = config();
    before["train"]["lr_schedule"] = now["train"]["lr_schedule"] = "cosine";
    now["train"]["steps"] = 20;
    ASSERT_EQ(check_resumable(before, now).size(), 1u);
}

}  // namespace
}  // namespace ddpm
