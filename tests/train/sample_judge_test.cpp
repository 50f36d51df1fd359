// Judging samples in a run, by a judge that is made up.

#include "train/sample_judge.h"

#include <cmath>
#include <map>

#include <gtest/gtest.h>

#include "ddpm/run/event_files.h"
#include "support/event_reader.h"
#include "train/small_run.h"

namespace ddpm::train {
namespace {

// The judge looks at the stop three times, and its number falls and rises with the step.
struct Judged : SmallRun {
    std::map<int64_t, double> values;  // of steps; another step has a number of its own

    explicit Judged(
        int64_t steps, std::function<bool(int64_t)> is_poison = [](int64_t) { return false; })
        : SmallRun(steps, std::move(is_poison)) {
        job.judging.every = 3;
        job.judging.share = 1;
        job.train.checkpoint_every = 5;
        job.train.keep_last = 1;
        job.judge = [this](UNet2D&, int64_t step, const std::function<bool()>& stop) -> std::optional<events::Judgement> {
            for (int i = 0; i < 3; ++i)
                if (stop()) return std::nullopt;
            return events::Judgement{20, "made up", {{"mmd", value(step), 0.01, 0.001}, {"fd", 2, 0.5, {}}}, {}};
        };
    }

    double value(int64_t step) const {
        const auto found = values.find(step);
        return found != values.end() ? found->second : static_cast<double>(7 * step % 11) + 0.5;
    }
    std::vector<Json> lines(const char* key) const {
        std::vector<Json> found;
        for (const Json& line : metrics())
            if (line.contains(key)) found.push_back(line);
        return found;
    }
    std::vector<int64_t> judged_steps() const {
        std::vector<int64_t> steps;
        for (const Json& line : lines("quality")) steps.push_back(line.at("step"));
        return steps;
    }
    fs::path best() const { return folder / "checkpoints" / kBestByQuality; }
};

// 7·step mod 11 is 10, 9, 8, 7, 6, 5 at steps 3, 6, … 18, and 8 at step 20.
TEST(SampleJudge, StandsInTheMetricsAndKeepsTheBestCheckpoint) {
    Judged run(20);
    run.values[9] = 0.25;
    run.job.train.tensorboard = true;
    ASSERT_EQ(run.train(), "finished");
    EXPECT_EQ(run.judged_steps(), (std::vector<int64_t>{3, 6, 9, 12, 15, 18, 20}));
    const Json line = run.lines("quality").at(2);
    EXPECT_EQ(line.at("quality"),
              parse_json(R"({"mmd": {"value": 0.25, "sd": 0.01, "floor": 0.001}, "fd": {"value": 2.0, "sd": 0.5, "floor": null}})",
                         "test"));
    EXPECT_EQ(line.at("decides"), "mmd");
    EXPECT_EQ(line.at("samples"), 20);
    EXPECT_EQ(line.at("protocol"), "made up");
    EXPECT_EQ(fs::read_symlink(run.best()), checkpoint_name(9));
    EXPECT_TRUE(has_training(run.best())) << "it outlives train.keep_last 1";
    EXPECT_EQ(run.counters(20).at("best_quality"),
              parse_json(R"({"step": 9, "value": 0.25, "metric": "mmd", "protocol": "made up"})", "test"));
    EXPECT_FALSE(fs::exists(run.folder / "checkpoints" / kBestByLoss));
    std::map<int64_t, float> shown;
    for (const fs::path& file : list_event_files(run.folder.path()))
        for (const test::ReadEvent& event : test::read_events(file))
            if (event.scalars.contains("quality/mmd")) {
                shown[event.step] = event.scalars.at("quality/mmd");
                EXPECT_EQ(event.scalars.at("quality/mmd_floor"), 0.001f);
                EXPECT_EQ(event.scalars.at("quality/fd"), 2.0f);
                EXPECT_FALSE(event.scalars.contains("quality/fd_floor"));
            }
    EXPECT_EQ(shown.size(), 7u);
    EXPECT_EQ(shown.at(9), 0.25f);
}

TEST(SampleJudge, ChangesNothingOfTheTraining) {
    Judged with(10), without(10);
    without.job.judge = {};
    ASSERT_EQ(with.train(), "finished");
    ASSERT_EQ(without.train(), "finished");
    for (const char* file :
         {"training/weights.safetensors", "training/optimizer.safetensors", "unet/diffusion_pytorch_model.safetensors"})
        EXPECT_TRUE(read_file(with.folder / "checkpoints/step-000010" / file, 1u << 30) ==
                    read_file(without.folder / "checkpoints/step-000010" / file, 1u << 30))
            << file;
    EXPECT_EQ(with.lines("loss"), without.lines("loss"));
    EXPECT_FALSE(fs::exists(without.best()));
    EXPECT_FALSE(without.counters(10).contains("best_quality"));
}

// Every judgement is the best one, so that each has a checkpoint. A rollback goes back to those of train.checkpoint_every alone.
struct PoisonedAndJudged : Judged {
    explicit PoisonedAndJudged(int64_t steps) : Judged(steps, [](int64_t index) { return index % 5 == 2; }) {
        job.initial = poisonable_network();
        job.initial_source = "poisonable";
        job.train.nonfinite_patience = 3;
        job.train.max_rollbacks = 20;
        job.train.checkpoint_every = 4;
        for (int64_t step = 1; step <= steps; ++step) values[step] = 1.0 / static_cast<double>(step);
    }
};

TEST(SampleJudge, ChangesNoRollback) {
    PoisonedAndJudged with(40), without(40);
    without.job.judge = {};
    int64_t looks = 0;
    with.job.checkpoint_requested = [&] {
        if (fs::is_symlink(with.best())) {
            ++looks;
            EXPECT_TRUE(has_training(with.best())) << fs::read_symlink(with.best());
        }
        return false;
    };
    ASSERT_EQ(with.train(), "finished");
    ASSERT_EQ(without.train(), "finished");
    ASSERT_GE(with.counters(40).at("guard").at("rollbacks").size(), 2u) << "else nothing is tried";
    EXPECT_GT(looks, 5);
    EXPECT_EQ(with.counters(40).at("guard"), without.counters(40).at("guard"));
    EXPECT_EQ(with.lines("loss"), without.lines("loss"));
    EXPECT_EQ(with.lines("rollback"), without.lines("rollback"));
    EXPECT_EQ(fs::read_symlink(with.best()).string(),
              checkpoint_name(with.counters(40).at("best_quality").at("step").get<int64_t>()));
}

template <class Run>
void expect_the_same_when_interrupted(int64_t steps, int most, int stride) {
    Run whole(steps);
    ASSERT_EQ(whole.train(), "finished");
    for (int nth = 1; nth < most; nth += stride)
        for (const bool kill : {false, true}) {
            Run parts(steps);
            parts.interrupt(nth, kill);
            if (newest_checkpoint(parts.folder.path())) parts.job.initial = nullptr;  // as the program does
            ASSERT_EQ(parts.train(), "finished");
            expect_same_checkpoint(whole, parts, steps);
            EXPECT_EQ(whole.metrics(), parts.metrics()) << nth << (kill ? " killed" : " stopped");
            EXPECT_EQ(fs::read_symlink(whole.best()), fs::read_symlink(parts.best())) << nth;
        }
}

// A stop may come while samples are judged; they are judged when the run goes on.
TEST(SampleJudge, AnInterruptedRunHasTheSameLinesAndTheSameBest) { expect_the_same_when_interrupted<Judged>(16, 80, 5); }

TEST(SampleJudge, AnInterruptedRunWithRollbacksToo) { expect_the_same_when_interrupted<PoisonedAndJudged>(30, 120, 17); }

// A step takes three seconds and judging 13. With a share of a fifth the second judgement waits until about a minute is over. The last step
// is judged whatever the time.
TEST(SampleJudge, TakesItsShareOfTheTime) {
    struct Skips : Observer {
        using Observer::on;
        void on(const events::JudgingSkipped& event) override {
            EXPECT_GT(event.share_of_time, 0.2);
            EXPECT_EQ(event.so_far, static_cast<int64_t>(steps.size()) + 1);
            steps.push_back(event.step);
        }
        std::vector<int64_t> steps;
    } skips;
    Judged run(30);
    double now = 0;
    run.job.clock = [&] { return now += 0.001; };
    run.job.stop_requested = [&] {
        now += 1;
        return false;
    };
    run.job.judging.share = 0.2;
    const auto judge = run.job.judge;
    run.job.judge = [&](UNet2D& ema, int64_t step, const std::function<bool()>& stop) {
        now += 10;
        return judge(ema, step, stop);
    };
    run.job.observers = {&skips};
    ASSERT_EQ(run.train(), "finished");
    const std::vector<int64_t> judged = run.judged_steps();
    EXPECT_EQ(judged.front(), 3);
    EXPECT_EQ(judged.back(), 30);
    EXPECT_EQ(judged.size() + skips.steps.size(), 10u) << "each due step is one or the other";
    EXPECT_GE(skips.steps.size(), 3u);
    EXPECT_GE(judged.size(), 3u);
}

TEST(SampleJudge, AJudgementThatFailsCostsNoTraining) {
    Judged run(9);
    const auto judge = run.job.judge;
    run.job.judge = [&](UNet2D& ema, int64_t step, const std::function<bool()>& stop) {
        if (step == 6) runtime_failure("no samples today");
        return judge(ema, step, stop);
    };
    ASSERT_EQ(run.train(), "finished");
    EXPECT_EQ(run.judged_steps(), (std::vector<int64_t>{3, 9}));
}

TEST(SampleJudge, ANumberThatIsNotFiniteIsNotTheBest) {
    Judged run(9);
    run.values = {{3, NAN}, {6, 0.5}, {9, -INFINITY}};
    ASSERT_EQ(run.train(), "finished");
    EXPECT_EQ(run.judged_steps(), (std::vector<int64_t>{3, 6, 9}));
    EXPECT_EQ(fs::read_symlink(run.best()), checkpoint_name(6));
}

TEST(SampleJudge, WhatAnotherProtocolFoundBestCountsNoMore) {
    Judged run(6);
    run.values = {{3, 0.1}, {6, 0.2}, {9, 0.5}, {12, 0.6}};
    ASSERT_EQ(run.train(), "finished");
    EXPECT_EQ(fs::read_symlink(run.best()), checkpoint_name(3));
    run.job.train.steps = 12;
    run.job.resume = true;
    const auto judge = run.job.judge;
    run.job.judge = [&](UNet2D& ema, int64_t step, const std::function<bool()>& stop) {
        auto judgement = judge(ema, step, stop);
        if (judgement) judgement->protocol = "another";
        return judgement;
    };
    ASSERT_EQ(run.train(), "finished");
    EXPECT_EQ(fs::read_symlink(run.best()), checkpoint_name(9));
}

// 9 is the third of three that are alike.
struct Flat : Judged {
    Flat() : Judged(30) {
        values = {{3, 2}, {6, 1}, {9, 1}, {12, 1}};
        for (int64_t step = 15; step <= 30; ++step) values[step] = 0.9;
    }
};

TEST(StopWhenDone, EndsWithACheckpointWhereThereIsNothingMoreToGain) {
    Flat run;
    run.job.stop_when_done = true;
    EXPECT_EQ(run_training(run.job), TrainEnd::done);
    EXPECT_EQ(newest_checkpoint(run.folder.path())->step, 12);
    const std::vector<Json> done = run.lines("done");
    ASSERT_EQ(done.size(), 1u);
    EXPECT_EQ(done[0], parse_json(R"({"step": 12, "done": "quality"})", "test"));
    EXPECT_EQ(fs::read_symlink(run.best()), checkpoint_name(6));
    run.job.resume = true;
    EXPECT_EQ(run_training(run.job), TrainEnd::done) << "there is still nothing to gain";
    EXPECT_EQ(run.metrics().back().at("step"), 12);
    run.job.stop_when_done = false;
    EXPECT_EQ(run_training(run.job), TrainEnd::finished);
    Flat whole;
    ASSERT_EQ(whole.train(), "finished");
    EXPECT_EQ(whole.metrics(), run.metrics()) << "it is said once, also where the run goes on";
    expect_same_checkpoint(whole, run, 30);
}

TEST(StopWhenDone, LooksAtTheLossOnHeldOutImagesToo) {
    Judged run(40);
    const Greys held_out{21, [](int64_t) { return false; }};
    run.job.judge = {};
    run.job.held_out = &held_out;
    run.job.train.validate_every = 2;
    run.job.train.learning_rate = 0.5;  // spoils what is learnt
    run.job.train.warmup_steps = 40;
    run.job.train.ema_decay = 0.5;
    run.job.stop_when_done = true;
    EXPECT_EQ(run_training(run.job), TrainEnd::done);
    EXPECT_LT(newest_checkpoint(run.folder.path())->step, 40);
    ASSERT_EQ(run.lines("done").size(), 1u);
    EXPECT_EQ(run.lines("done")[0].at("done"), "held_out_loss");
}

}  // namespace
}  // namespace ddpm::train
