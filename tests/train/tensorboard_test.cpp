// The event files of train.tensorboard, beside the metrics.jsonl of the same run.

#include <cmath>

#include <gtest/gtest.h>

#include "ddpm/image/codec.h"
#include "ddpm/run/entries.h"
#include "ddpm/run/event_files.h"
#include "support/event_reader.h"
#include "train/small_run.h"

namespace ddpm {
namespace {

struct Watched : SmallRun {
    explicit Watched(
        int64_t steps, std::function<bool(int64_t)> is_poison = [](int64_t) { return false; })
        : SmallRun(steps, std::move(is_poison)) {
        job.train.tensorboard = true;
        job.train.checkpoint_every = 4;
        job.train.sample_every = 3;
        job.draw_samples = [](UNet2D&, const fs::path& file, const std::function<bool()>&) {
            write_png(file, make_image(5, 3, 1, 100));
        };
    }

    // What TensorBoard shows: the events of all files in their order, where one that restarts drops those of its step and later.
    std::vector<test::ReadEvent> shown() const {
        std::vector<test::ReadEvent> all;
        for (const fs::path& file : list_event_files(folder.path()))
            for (test::ReadEvent& event : test::read_events(file)) {
                if (event.restarts) std::erase_if(all, [&](const test::ReadEvent& old) { return old.step >= event.step; });
                if (!event.scalars.empty() || !event.pictures.empty()) all.push_back(std::move(event));
            }
        return all;
    }

    // The steps that a curve has points of, or a tag pictures, in the order of the files.
    std::vector<int64_t> steps_of(const std::string& tag) const {
        std::vector<int64_t> steps;
        for (const test::ReadEvent& event : shown())
            if (event.scalars.contains(tag) || event.pictures.contains(tag)) steps.push_back(event.step);
        return steps;
    }

    // Expects each step's line of metrics.jsonl in the event files, in the same order.
    void expect_as_in_metrics() const {
        std::vector<std::pair<int64_t, test::ReadEvent>> events;
        for (test::ReadEvent& event : shown())
            if (event.scalars.contains("train/loss")) events.emplace_back(event.step, std::move(event));
        size_t next = 0;
        for (const Json& line : read_metrics(folder / "metrics.jsonl")) {
            if (!line.contains("loss")) continue;
            ASSERT_LT(next, events.size()) << line;
            const auto& [step, event] = events[next++];
            EXPECT_EQ(step, line.at("step"));
            for (const auto& [tag, key] : {std::pair{"train/loss", "loss"}, {"train/grad_norm", "grad_norm"}, {"train/lr", "lr"}}) {
                const float value = event.scalars.at(tag);
                if (line.at(key).is_null())
                    EXPECT_FALSE(std::isfinite(value)) << tag;
                else
                    EXPECT_EQ(value, static_cast<float>(line.at(key).get<double>())) << tag;
            }
            EXPECT_NEAR(event.scalars.at("train/images_per_second"), line.at("images_per_second").get<double>(),
                        0.01 + 1e-6 * line.at("images_per_second").get<double>());
            EXPECT_EQ(event.scalars.contains("train/skipped"), line.contains("skipped"));
            EXPECT_EQ(event.scalars.contains("train/spike"), line.contains("spike"));
        }
        EXPECT_EQ(next, events.size());
    }
};

std::vector<int64_t> one_to(int64_t last) {
    std::vector<int64_t> steps;
    for (int64_t step = 1; step <= last; ++step) steps.push_back(step);
    return steps;
}

TEST(Tensorboard, IsOffUnlessAskedFor) {
    SmallRun run(3);
    ASSERT_EQ(run.train(), "finished");
    EXPECT_FALSE(fs::exists(run.folder / "tensorboard"));
}

TEST(Tensorboard, HasWhatTheMetricsHaveAndThePictures) {
    Watched run(10);
    const Greys held_out(16, [](int64_t) { return false; });
    run.job.held_out = &held_out;
    run.job.train.validate_every = 5;
    ASSERT_EQ(run.train(), "finished");
    const std::vector<fs::path> files = list_event_files(run.folder.path());
    ASSERT_EQ(files.size(), 1u);
    const std::vector<test::ReadEvent> raw = test::read_events(files[0]);
    EXPECT_EQ(raw.at(0).version, "brain.Event:2");
    EXPECT_TRUE(raw.at(1).restarts);
    EXPECT_EQ(raw.at(1).step, 1);
    run.expect_as_in_metrics();
    EXPECT_EQ(run.steps_of("train/loss"), one_to(10));
    EXPECT_EQ(run.steps_of("samples"), (std::vector<int64_t>{3, 6, 9, 10}));
    for (const test::ReadEvent& event : run.shown())
        if (event.pictures.contains("samples")) {
            const test::ReadEvent::Picture& picture = event.pictures.at("samples");
            EXPECT_EQ(decode_image(picture.png, "event", {.channels = 1}), make_image(5, 3, 1, 100));
            EXPECT_EQ(picture.height, 3u);
            EXPECT_EQ(picture.width, 5u);
            EXPECT_EQ(picture.channels, 1u);
        }
    EXPECT_EQ(run.steps_of("validation/ema"), (std::vector<int64_t>{5, 10}));
    for (const Json& line : run.metrics()) {
        if (!line.contains("validation")) continue;
        for (const test::ReadEvent& event : run.shown()) {
            if (event.step != line.at("step") || !event.scalars.contains("validation/raw")) continue;
            for (const char* network : {"raw", "ema"}) {
                const Json& loss = line.at("validation").at(network);
                EXPECT_EQ(event.scalars.at(std::string("validation/") + network),
                          static_cast<float>(loss.at("loss").get<double>()));
                for (size_t bin = 0; bin < loss.at("by_t").size(); ++bin)
                    EXPECT_EQ(event.scalars.at("validation_by_t/" + std::string(network) + "_" + std::to_string(bin)),
                              static_cast<float>(loss.at("by_t").at(bin).get<double>()));
            }
        }
    }
}

// A run looks three times a step whether it has to stop: before the checkpoint, before and after the pictures. Checkpoints are
// those of steps 4 and 8. Where the last event is of a step that comes again, a kill may have torn it.
TEST(Tensorboard, AKilledRunGoesOnInANewFile) {
    struct Kill {
        int64_t step;
        int look;
        int64_t goes_on;  // the first step of the next session
        bool may_tear;
    };
    for (const Kill& kill : {Kill{1, 1, 1, true}, Kill{3, 3, 1, true}, Kill{4, 1, 1, true}, Kill{4, 2, 5, false},
                             Kill{6, 3, 5, true}, Kill{9, 1, 9, true}})
        for (const uintmax_t torn : {0, 1, 20}) {
            if (torn > 0 && !kill.may_tear) continue;
            SCOPED_TRACE(std::to_string(kill.step) + " " + std::to_string(kill.look) + " " + std::to_string(torn));
            Watched run(10);
            run.interrupt(static_cast<int>(3 * (kill.step - 1)) + kill.look, true);
            const std::vector<fs::path> before = list_event_files(run.folder.path());
            ASSERT_EQ(before.size(), 1u);
            fs::resize_file(before[0], fs::file_size(before[0]) - torn);
            ASSERT_EQ(run.train(), "finished");
            const std::vector<fs::path> after = list_event_files(run.folder.path());
            ASSERT_EQ(after.size(), 2u);
            EXPECT_EQ(after[0], before[0]) << "the new one sorts behind it, within a second too";
            EXPECT_EQ(test::read_events(after[1]).at(1).step, kill.goes_on);
            EXPECT_EQ(run.steps_of("train/loss"), one_to(10));
            run.expect_as_in_metrics();
            EXPECT_EQ(run.steps_of("samples"), (std::vector<int64_t>{3, 6, 9, 10}));
        }
}

TEST(Tensorboard, ABackwardClockChangesNoOrder) {
    const TempFolder run;
    const fs::path now = new_event_file(run.path(), 1.8e9);
    EXPECT_EQ(now.filename().string().rfind("events.out.tfevents.1800000000.", 0), 0u) << now;
    make_folders(now.parent_path());
    write_file(now, "");
    const fs::path next = new_event_file(run.path(), 1.7e9);
    EXPECT_EQ(next.filename().string().rfind("events.out.tfevents.1800000001.", 0), 0u) << next;
    write_file(next, "");
    write_file(now.parent_path() / "events.out.tfevents.1900000000.host", "of somebody else");
    EXPECT_EQ(list_event_files(run.path()), (std::vector<fs::path>{now, next}));
    remove_event_files(run.path());
    EXPECT_EQ(entries_of(now.parent_path()).size(), 1u);
}

// A rollback takes steps back in the middle of a session.
TEST(Tensorboard, ARollbackTakesItsStepsBack) {
    Watched run(20);
    run.job.train.learning_rate = 1e30;
    run.job.train.warmup_steps = 0;
    run.job.train.checkpoint_every = 0;
    run.job.train.nonfinite_patience = 2;
    run.job.train.rollback_lr_factor = 1e-6;
    run.job.train.max_rollbacks = 10;
    ASSERT_EQ(run.train(), "finished");
    ASSERT_FALSE(run.counters(20).at("guard").at("rollbacks").empty());
    EXPECT_EQ(list_event_files(run.folder.path()).size(), 1u);
    EXPECT_EQ(run.steps_of("train/loss"), one_to(20));
    run.expect_as_in_metrics();
}

TEST(Tensorboard, ANewRunInTheFolderDropsTheOldEvents) {
    Watched run(6);
    ASSERT_EQ(run.train(), "finished");
    run.job.train.steps = 3;
    ASSERT_EQ(run.train(), "finished");
    EXPECT_EQ(list_event_files(run.folder.path()).size(), 1u);
    EXPECT_EQ(run.steps_of("train/loss"), one_to(3));
}

// It may begin and end with any session; the steps between stay out.
TEST(Tensorboard, MayBeSwitchedOnResume) {
    Watched run(12);
    run.job.train.tensorboard = false;
    run.interrupt(5, false);
    run.job.train.tensorboard = true;
    std::vector<int64_t> rest = one_to(12);
    rest.erase(rest.begin(), rest.begin() + newest_checkpoint(run.folder.path())->step);
    ASSERT_EQ(run.train(), "finished");
    EXPECT_EQ(run.steps_of("train/loss"), rest);
}

TEST(Tensorboard, APictureThatIsNoPictureIsLeftOut) {
    Watched run(3);
    run.job.draw_samples = [](UNet2D&, const fs::path& file, const std::function<bool()>&) { write_file(file, "no picture"); };
    EXPECT_EQ(run.train(), "finished");
    EXPECT_EQ(run.steps_of("train/loss"), one_to(3));
    EXPECT_TRUE(run.steps_of("samples").empty());
}

TEST(Tensorboard, ItsFilesBelongToTheRun) {
    EXPECT_TRUE(is_event_file_name("events.out.tfevents.1764489600.my-host.lan.ddpm"));
    for (const char* other :
         {"events.out.tfevents.1764489600.host", "events.out.tfevents.176448960.host.ddpm", "events.out.tfevents.1764489600.ddpm",
          "events.out.tfevents.17644896000.host.ddpm", "events.out.tfevents.1764489600..ddpm", "events.out.tfevents.ddpm",
          "notes.ddpm", "events.out.tfevents.1764489600.host.ddpm.partial"})
        EXPECT_FALSE(is_event_file_name(other)) << other;
    Watched run(3);
    ASSERT_EQ(run.train(), "finished");
    write_file(run.folder / "config.json", R"({"seed": 0, "dataset": {}, "model": {}, "diffusion": {}, "train": {}})");
    EXPECT_FALSE(foreign_entry(run.folder.path(), true));
    const fs::path notes = run.folder / "tensorboard" / "notes.txt";
    write_file(notes, "of somebody");
    EXPECT_FALSE(foreign_entry(run.folder.path(), false)) << "a resume leaves it alone";
    EXPECT_EQ(foreign_entry(run.folder.path(), true), notes);
    fs::remove(notes);
    remove_run(run.folder.path());
    EXPECT_FALSE(fs::exists(run.folder / "tensorboard"));
}

}  // namespace
}  // namespace ddpm
