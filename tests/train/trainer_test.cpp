// What a run does about time and about being asked.

#include <bit>
#include <thread>

#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "support/captured_log.h"
#include "train/small_run.h"

namespace ddpm {
namespace {

// A clock that goes on by a tenth of a second whenever it is looked at: a step takes 0.1, saving too.
struct Clocked : SmallRun {
    double now = 0;
    explicit Clocked(int64_t steps) : SmallRun(steps) {
        job.clock = [this] { return now += 0.1; };
    }
};

TEST(Trainer, StopsInTimeWithACheckpoint) {
    Clocked run(100'000);
    run.job.deadline = 50;
    EXPECT_EQ(run.train(), "stopped");
    EXPECT_LT(run.now, 50);
    EXPECT_GT(run.now, 45);
    const int64_t step = run.metrics().back().at("step");
    EXPECT_GT(step, 50);
    EXPECT_EQ(newest_checkpoint(run.folder.path())->step, step);
}

// Saving that takes 20 seconds is begun early enough, once one has shown how long it takes.
TEST(Trainer, LeavesTimeForTheCheckpoint) {
    Clocked run(100'000);
    run.job.deadline = 100;
    run.job.train.checkpoint_every = 10;
    run.job.train.keep_last = 100;
    fs::path newest;
    run.job.clock = [&] {
        if (const auto found = newest_checkpoint(run.folder.path()); found && found->path != newest) {
            newest = found->path;
            run.now += 20;
        }
        return run.now += 0.1;
    };
    EXPECT_EQ(run.train(), "stopped");
    EXPECT_LT(run.now, 100);
    EXPECT_GT(run.now, 50);
}

TEST(Trainer, AStopForTimeGoesOnAsTheWholeRun) {
    SmallRun whole(12);
    ASSERT_EQ(whole.train(), "finished");
    Clocked parts(12);
    parts.job.deadline = 3;
    for (int sessions = 0; parts.train() == "stopped"; ++sessions) {
        ASSERT_LT(sessions, 20);
        parts.job.deadline = parts.now + 3;
        parts.job.resume = true;
    }
    expect_same_checkpoint(whole, parts, 12);
    EXPECT_EQ(whole.metrics(), parts.metrics());
}

TEST(Trainer, WritesACheckpointWhenAskedAndGoesOn) {
    SmallRun run(12), unasked(12);
    run.job.train.keep_last = 100;
    int calls = 0;
    run.job.checkpoint_requested = [&] { return ++calls == 5; };
    ASSERT_EQ(run.train(), "finished");
    ASSERT_EQ(unasked.train(), "finished");
    EXPECT_TRUE(has_training(run.folder / "checkpoints" / checkpoint_name(5)));
    EXPECT_EQ(list_checkpoints(run.folder.path()).size(), 2u);
    expect_same_checkpoint(run, unasked, 12);
}

TEST(Trainer, AStopReachesThePictures) {
    Clocked run(10);
    run.job.train.sample_every = 2;
    run.job.deadline = 30;
    int drawn = 0, abandoned = 0;
    run.job.draw_samples = [&](UNet2D&, const fs::path&, const std::function<bool()>& stop) {
        ++drawn;
        for (int i = 0; i < 10'000; ++i)
            if (stop()) {
                ++abandoned;
                return;
            }
    };
    EXPECT_EQ(run.train(), "stopped");
    EXPECT_EQ(drawn, 1);
    EXPECT_EQ(abandoned, 1);
    EXPECT_LT(run.now, 30);
    EXPECT_EQ(newest_checkpoint(run.folder.path())->step, 2);
}

// While pictures are sampled, heartbeats are the only lines written. They carry the step, and readers of losses ignore them.
TEST(Trainer, TheHeartbeatGoesOnWhilePicturesAreDrawn) {
    SmallRun run(3);
    run.job.train.heartbeat_seconds = 0.001;
    const auto beats = [&] {
        int64_t count = 0;
        for (const Json& line : read_metrics(run.folder / "metrics.jsonl"))
            if (line.contains("heartbeat")) {
                EXPECT_EQ(line.size(), 2u);
                if (line.at("step") == 3) ++count;
            }
        return count;
    };
    run.job.draw_samples = [&](UNet2D&, const fs::path&, const std::function<bool()>&) {
        while (beats() < 3) std::this_thread::yield();
    };
    ASSERT_EQ(run.train(), "finished");
    SmallRun quiet(3);
    ASSERT_EQ(quiet.train(), "finished");
    EXPECT_EQ(run.metrics(), quiet.metrics());
    run.job.resume = true;
    run.job.train.steps = 5;
    run.job.draw_samples = {};
    EXPECT_EQ(run.train(), "finished") << "a resume keeps them";
}

// Weights that stay as they are: every loss has the same distribution, and some stand out a little.
TEST(Trainer, MarksASpikeInTheMetrics) {
    SmallRun run(300);
    const CapturedLog log;
    run.job.train.learning_rate = 1e-12;
    run.job.train.spike_threshold = 0.5;
    run.job.train.checkpoint_every = 50;
    ASSERT_EQ(run.train(), "finished");
    const std::string told = log.text();
    SmallRun parts(300);
    parts.job.train.learning_rate = 1e-12;
    parts.job.train.spike_threshold = 0.5;
    parts.job.train.checkpoint_every = 50;
    parts.interrupt(800, true);
    ASSERT_EQ(parts.train(), "finished");
    int64_t marked = 0, began = 0, last = 0;
    for (const Json& line : run.metrics()) {
        if (!line.contains("spike")) continue;
        ++marked;
        const int64_t step = line.at("step");
        if (step > last + 1) {
            ++began;
            const std::string text = fmt::format("step {}: loss", step);
            EXPECT_EQ(told.find(text) != told.npos, std::has_single_bit(static_cast<uint64_t>(began))) << text;
        }
        last = step;
        EXPECT_GT(line.at("step"), 200);
        EXPECT_GE(line.at("spike").get<double>(), 0.5);
    }
    EXPECT_GT(marked, 0);
    EXPECT_GT(began, 4) << "the log reports the 1st, 2nd, 4th, …";
    EXPECT_EQ(run.metrics(), parts.metrics()) << "the window outlives a kill";
}

}  // namespace
}  // namespace ddpm
