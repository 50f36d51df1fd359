#include "train/guard.h"

#include <algorithm>
#include <map>
#include <memory>

#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "support/captured_log.h"
#include "train/small_run.h"

namespace ddpm::train {
namespace {

using Verdict = StepGuard::Verdict;

TEST(StepGuard, SkipsThenRollsBackThenGivesUp) {
    TrainOptions options;
    options.nonfinite_patience = 2;
    options.max_rollbacks = 1;
    options.rollback_lr_factor = 0.25;
    StepGuard guard;
    EXPECT_EQ(guard.judge(false, options), Verdict::skip);
    EXPECT_EQ(guard.judge(true, options), Verdict::go_on);
    EXPECT_EQ(guard.judge(false, options), Verdict::skip) << "a good step in between begins the count anew";
    EXPECT_EQ(guard.judge(false, options), Verdict::roll_back);
    EXPECT_EQ(guard.attempt(), 0u);
    EXPECT_EQ(guard.learning_rate_factor(), 1.0);
    guard.roll_back(7, 4, options);
    EXPECT_EQ(guard.attempt(), 1u);
    EXPECT_EQ(guard.learning_rate_factor(), 0.25);
    EXPECT_EQ(guard.skipped, 3);
    EXPECT_EQ(guard.judge(false, options), Verdict::skip);
    EXPECT_EQ(guard.judge(false, options), Verdict::give_up);
}

TEST(StepGuard, ComesBackFromJson) {
    TrainOptions options;
    StepGuard guard;
    for (int i = 0; i < 7; ++i) guard.judge(false, options);
    guard.roll_back(9, 8, options);
    guard.roll_back(10, 8, options);
    guard.judge(false, options);
    const Json json = parse_json(guard.write().dump(), "test");
    EXPECT_EQ(StepGuard::read(json, "test").write(), json);
    Json damaged = json;
    damaged["rollbacks"][1].erase("to");
    EXPECT_THROW(StepGuard::read(damaged, "test"), Error);
    damaged = json;
    damaged["in_a_row"] = -1;
    EXPECT_THROW(StepGuard::read(damaged, "test"), Error);
}

// Eight pictures of 40 overflow: about 36 % of the batches of two.
struct Poisoned : SmallRun {
    explicit Poisoned(int64_t steps, int64_t patience = 1000, int64_t rollbacks = 0)
        : SmallRun(steps, [](int64_t index) { return index % 5 == 2; }) {
        job.initial = poisonable_network();
        job.initial_source = "poisonable";
        job.train.checkpoint_every = 4;
        job.train.keep_last = 100;
        job.train.nonfinite_patience = patience;
        job.train.max_rollbacks = rollbacks;
    }
};

TEST(Guard, ABadStepChangesNothingButTheCounter) {
    Poisoned run(40);
    run.job.train.checkpoint_every = 1;
    ASSERT_EQ(run.train(), "finished");
    int64_t skipped = 0;
    for (const Json& line : run.metrics()) {
        const int64_t step = line.at("step");
        const fs::path checkpoints = run.folder / "checkpoints";
        const fs::path now = checkpoints / checkpoint_name(step), before = checkpoints / checkpoint_name(step - 1);
        const bool bad = line.contains("skipped");
        skipped += bad;
        EXPECT_EQ(line.at("loss").is_null(), bad);
        for (const char* file :
             {"unet/diffusion_pytorch_model.safetensors", "training/weights.safetensors", "training/optimizer.safetensors"})
            EXPECT_EQ(read_file(now / file, 1u << 30) == read_file(before / file, 1u << 30), bad) << file << " of step " << step;
        EXPECT_EQ(run.counters(step).at("updates"), step - skipped);
        EXPECT_EQ(run.counters(step).at("guard").at("skipped"), skipped);
    }
    EXPECT_GT(skipped, 5);
    EXPECT_LT(skipped, 30);
}

// What the log says of skipped steps, in a run and in one that goes on from its middle.
TEST(Guard, SkippedStepsAreToldOfAtPowersOfTwo) {
    Poisoned run(60);
    const CapturedLog log;
    ASSERT_EQ(run.train(), "finished");
    run.job.resume = true;
    run.job.initial = nullptr;
    run.job.train.steps = 120;
    ASSERT_EQ(run.train(), "finished");
    const int64_t skipped = run.counters(120).at("guard").at("skipped");
    ASSERT_GE(skipped, 17);
    const std::string text = log.text();
    int64_t count = 1;
    for (size_t at = 0; (at = text.find(" in a row, ", at)) != text.npos; ++at, count *= 2) {
        const std::string expected = fmt::format(" in a row, {} in all; next message after {})", count, 2 * count);
        EXPECT_EQ(text.substr(at, expected.size()), expected);
    }
    EXPECT_TRUE(count / 2 <= skipped && skipped < count) << count;
}

TEST(Guard, ARollbackGoesOnFromTheLastGoodCheckpointWithOtherBatches) {
    Poisoned run(40, 3, 20);
    run.job.train.sample_every = 2;
    run.job.draw_samples = [](UNet2D&, const fs::path& file, const std::function<bool()>&) { write_file(file, "picture"); };
    run.job.checkpoint_requested = [&] {  // after every step, before its checkpoint
        for (const fs::path& file : list_files(run.folder / "samples", false))
            EXPECT_LT(std::stoll(file.stem().string().substr(5)), run.metrics().back().at("step").get<int64_t>()) << "taken back";
        if (const auto newest = newest_checkpoint(run.folder.path())) {
            EXPECT_LT(newest->step, run.metrics().back().at("step").get<int64_t>()) << "of a step that was taken back";
        }
        return false;
    };
    ASSERT_EQ(run.train(), "finished");
    std::vector<Json> steps, rollbacks;
    for (const Json& line : run.metrics()) (line.contains("rollback") ? rollbacks : steps).push_back(line);
    ASSERT_EQ(steps.size(), 40u);
    for (size_t i = 0; i < steps.size(); ++i) EXPECT_EQ(steps[i].at("step"), i + 1) << "each step stands once";
    ASSERT_GE(rollbacks.size(), 2u);
    double factor = 1;
    int64_t attempt = 0;
    for (const Json& line : rollbacks) {
        factor /= 2;
        EXPECT_EQ(line.at("rollback").at("attempt"), ++attempt);
        EXPECT_EQ(line.at("rollback").at("learning_rate_factor"), factor);
        EXPECT_EQ((line.at("step").get<int64_t>() - 1) % 4, 0);
        EXPECT_GE(line.at("rollback").at("from").get<int64_t>(), line.at("step").get<int64_t>() + 2);
    }
    EXPECT_EQ(steps.back().at("lr").get<double>(), run.job.train.learning_rate * factor);

    // The first attempt as it would have gone on without rollbacks: the steps up to the return are the same, then not.
    Poisoned straight(40);
    ASSERT_EQ(straight.train(), "finished");
    const std::vector<Json> other = straight.metrics();
    const auto to = static_cast<std::ptrdiff_t>(rollbacks.front().at("step").get<int64_t>() - 1);
    EXPECT_TRUE(std::equal(steps.begin(), steps.begin() + to, other.begin()));
    for (size_t i = static_cast<size_t>(to); i < 40; ++i)
        if (!steps[i].at("loss").is_null()) {
            EXPECT_NE(steps[i].at("loss"), other[i].at("loss")) << i;
        }
}

// With one picture every batch is the same: what differs in the first step of another attempt is t and noise.
TEST(Guard, ARollbackDrawsOtherTimesAndNoiseToo) {
    const Greys one{1, [](int64_t) { return false; }};
    SmallRun straight(1), again(20);
    straight.job.dataset = again.job.dataset = &one;
    again.job.train.learning_rate = 1e30;
    again.job.train.warmup_steps = 0;
    again.job.train.checkpoint_every = 0;
    again.job.train.nonfinite_patience = 2;
    again.job.train.rollback_lr_factor = 0;
    ASSERT_EQ(straight.train(), "finished");
    ASSERT_EQ(again.train(), "finished");
    ASSERT_EQ(again.counters(20).at("guard").at("rollbacks").size(), 1u);
    const std::vector<Json> lines = again.metrics();
    ASSERT_TRUE(lines.at(0).contains("rollback"));
    ASSERT_EQ(lines.at(1).at("step"), 1);
    EXPECT_NE(lines.at(1).at("loss"), straight.metrics().front().at("loss"));
}

// Wherever it is cut off, also between a rollback and the next step, and whatever checkpoints the stop left behind.
TEST(Guard, AnInterruptedRunRollsBackAsTheWholeOneDoes) {
    Poisoned whole(40, 3, 20);
    whole.job.train.keep_last = 1;
    ASSERT_EQ(whole.train(), "finished");
    ASSERT_GE(whole.counters(40).at("guard").at("rollbacks").size(), 2u);
    for (int nth = 1; nth < 190; nth += 23)
        for (const bool kill : {false, true}) {
            Poisoned parts(40, 3, 20);
            parts.job.train.keep_last = 1;
            parts.interrupt(nth, kill);
            if (newest_checkpoint(parts.folder.path())) parts.job.initial = nullptr;  // as the program does
            parts.interrupt(nth / 2 + 1, !kill);
            ASSERT_EQ(parts.train(), "finished");
            expect_same_checkpoint(whole, parts, 40);
            EXPECT_EQ(whole.metrics(), parts.metrics()) << nth;
        }
}

// A run with a checkpoint of every step because somebody asked goes back to where the one without does.
TEST(Guard, CheckpointsThatWereAskedForAreNowhereToGoBackTo) {
    Poisoned whole(40, 3, 20), asked(40, 3, 20);
    asked.job.checkpoint_requested = [] { return true; };
    ASSERT_EQ(whole.train(), "finished");
    ASSERT_EQ(asked.train(), "finished");
    ASSERT_GE(whole.counters(40).at("guard").at("rollbacks").size(), 2u);
    expect_same_checkpoint(whole, asked, 40);
    EXPECT_EQ(whole.metrics(), asked.metrics());
}

// The best checkpoint on held-out pictures is never one that a rollback takes back, so it is there as long as it is the best.
TEST(Guard, TheBestCheckpointIsOfAStepThatWasNotSkipped) {
    Poisoned run(60, 3, 30);
    const Greys held_out{21, [](int64_t) { return false; }};
    run.job.held_out = &held_out;
    run.job.train.validate_every = 3;
    run.job.train.keep_last = 1;
    run.job.train.ema_decay = 0.5;
    int64_t looks = 0, skipped_looks = 0;
    run.job.checkpoint_requested = [&] {  // after every step, before its checkpoint
        const fs::path best = run.folder / "checkpoints/best";
        if (fs::is_symlink(best)) {
            ++looks;
            EXPECT_TRUE(has_training(best)) << fs::read_symlink(best);
        }
        return false;
    };
    ASSERT_EQ(run.train(), "finished");
    EXPECT_GT(looks, 20);
    std::map<int64_t, bool> skipped;
    for (const Json& line : run.metrics()) {
        if (line.contains("skipped")) skipped[line.at("step")] = true;
        if (line.contains("validation")) skipped_looks += skipped[line.at("step")];
    }
    EXPECT_GT(skipped_looks, 0);
    EXPECT_FALSE(skipped[run.counters(60).at("best").at("step")]);
    ASSERT_GE(run.counters(60).at("guard").at("rollbacks").size(), 2u);
}

TEST(Guard, GivesUpWithADiagnosis) {
    SmallRun run(20, [](int64_t index) { return index != 11; });
    run.job.initial = poisonable_network();
    run.job.train.nonfinite_patience = 2;
    run.job.train.max_rollbacks = 2;
    const std::string message = run.train();
    EXPECT_EQ(message.rfind("step 2: no finite loss and gradient 2 times in a row, after 2 rollbacks; t = ", 0), 0u) << message;
    // The label's row is finite; what the first layer behind it makes of it is not.
    EXPECT_NE(message.find("first value that is not finite: at down_blocks.0.resnets.0.time_emb_proj (aten::addmm)"),
              std::string::npos)
        << message;
    EXPECT_EQ(run.metrics().back().at("gave_up").at("place"), "at down_blocks.0.resnets.0.time_emb_proj (aten::addmm)");
    // More rollbacks may be granted afterwards.
    run.job.resume = true;
    run.job.initial = nullptr;
    run.job.train.max_rollbacks = 3;
    EXPECT_NE(run.train().find("after 3 rollbacks"), std::string::npos);
}

// Without a checkpoint to return to, the run begins anew, with its own weights.
TEST(Guard, GoesBackToTheBeginningWhereThereIsNoCheckpoint) {
    SmallRun run(20);
    run.job.train.learning_rate = 1e30;
    run.job.train.warmup_steps = 0;
    run.job.train.checkpoint_every = 0;
    run.job.train.nonfinite_patience = 2;
    run.job.train.rollback_lr_factor = 1e-6;
    run.job.train.max_rollbacks = 10;
    ASSERT_EQ(run.train(), "finished");
    const std::vector<Json> lines = run.metrics();
    ASSERT_TRUE(lines.front().contains("rollback"));
    for (const Json& line : lines)
        if (line.contains("rollback")) {
            EXPECT_EQ(line.at("step"), 1);
        }
}

}  // namespace
}  // namespace ddpm::train
