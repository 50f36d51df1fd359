// Tests what the program does if the disk fails, another process interferes or a file is damaged.

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <sstream>

#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "cli/tiny.h"
#include "ddpm/core/staging.h"
#include "ddpm/image/codec.h"
#include "ddpm/report/metrics.h"
#include "support/event_reader.h"
#include "torture/run.h"

namespace ddpm {
namespace {

// Runs the program in `folder` with the library of fault_points.cpp, which reads `environment`.
ProcessResult run_faulty(const std::vector<std::string>& arguments, const fs::path& folder, std::vector<std::string> environment) {
    // The address sanitizer demands to be the first library. Here it is the second, behind the fault points.
    static const WarmProgram program({"LD_PRELOAD=" DDPM_FAULT_POINTS, "ASAN_OPTIONS=verify_asan_link_order=0"});
    environment.push_back("FAULTS_BELOW=" + fs::canonical(folder).string());
    return program.run(arguments, folder.string(), 600, environment);
}

struct Faulty : Tiny {
    using Tiny::Tiny;

    ProcessResult train_with(const std::vector<std::string>& environment, std::vector<std::string> more = {}) const {
        more.insert(more.begin(), {"train", "--config", "tiny.json", "--threads", "1"});
        return run_faulty(more, folder.path(), environment);
    }

    // Returns the calls of a run that change the disk, in order.
    std::vector<std::string> calls(std::vector<std::string> more = {}) const {
        const TempFolder log;
        const ProcessResult result = train_with({"FAULTS_LOG=" + (log / "calls").string()}, std::move(more));
        EXPECT_EQ(result.code, 0) << result.err;
        std::istringstream text(read_file(log / "calls", 1 << 24));
        std::vector<std::string> lines;
        for (std::string line; std::getline(text, line);) lines.push_back(line);
        return lines;
    }

    std::vector<int64_t> steps(const fs::path& run = "runs/tiny") const {
        std::vector<int64_t> all;
        for (const Json& line : read_metrics(folder / run / "metrics.jsonl")) all.push_back(line.at("step"));
        return all;
    }
};

// Returns how many lines on standard error begin with `beginning`.
int count_lines(const ProcessResult& result, const std::string& beginning) {
    std::istringstream text(result.err);
    int count = 0;
    for (std::string line; std::getline(text, line);) count += line.rfind(beginning, 0) == 0;
    return count;
}

std::string fail(int code) { return "FAULTS_DO=" + std::to_string(code); }

const std::vector<int64_t> kSix{1, 2, 3, 4, 5, 6};

// These return the index of the first and the last `call` in `calls`. If there is none, the test fails.
long first_of(const std::vector<std::string>& calls, const std::string& call) {
    const auto at = std::find(calls.begin(), calls.end(), call);
    EXPECT_NE(at, calls.end()) << call;
    return at - calls.begin();
}
long last_of(const std::vector<std::string>& calls, const std::string& call) {
    const auto at = std::find(calls.rbegin(), calls.rend(), call);
    EXPECT_NE(at, calls.rend()) << call;
    return calls.rend() - at - 1;
}

// Returns the name that a file has until it is complete.
std::string hidden_name(const fs::path& file) {
    return (file.parent_path() / fmt::format(".{}.partial", file.filename().string())).string();
}

// After a power loss only what was fsynced is there. So the contents are fsynced before the name, and so is a new folder's name.
TEST(Durability, ContentsAreOnTheDiskBeforeTheNameThatShowsThem) {
    const Faulty tiny;
    const std::vector<std::string> calls = tiny.calls();
    const std::string run = "runs/tiny", checkpoints = run + "/checkpoints", partial = checkpoints + "/.step-000004.partial";
    const long commit = first_of(calls, "rename " + partial + " -> " + checkpoints + "/step-000004");
    EXPECT_EQ(calls.at(static_cast<size_t>(commit) + 1), "fsync " + checkpoints);

    int files = 0;
    for (const fs::path& file : list_files(tiny.folder / step_folder(4), true)) {
        const fs::path name = file.lexically_relative(tiny.folder / step_folder(4));
        const std::string folder = (partial / name.parent_path()).lexically_normal().string();
        const std::string hidden = hidden_name(partial / name);
        const long written = last_of(calls, "write " + hidden), synced = last_of(calls, "fsync " + hidden);
        const long named = first_of(calls, "rename " + hidden + " -> " + (partial / name).string());
        const std::string place = folder.back() == '/' ? folder.substr(0, folder.size() - 1) : folder;
        const long kept = last_of(calls, "fsync " + place);
        EXPECT_LT(written, synced) << name;
        EXPECT_LT(synced, named) << name;
        EXPECT_LT(named, kept) << name;
        EXPECT_LT(kept, commit) << name;
        ++files;
    }
    EXPECT_EQ(files, 9);
    // The metrics of its steps are on the disk before the checkpoint appears.
    const auto before = calls.begin() + commit;
    const std::vector<std::string> earlier(calls.begin(), before);
    EXPECT_LT(last_of(earlier, "write " + run + "/metrics.jsonl"), last_of(earlier, "fsync " + run + "/metrics.jsonl"));
    for (const char* file : {"config.json", "loss.png", "samples/step-000006.png"}) {
        const fs::path path = fs::path(run) / file;
        const std::string hidden = hidden_name(path);
        const long named = last_of(calls, "rename " + hidden + " -> " + path.string());
        EXPECT_LT(last_of(calls, "write " + hidden), last_of(calls, "fsync " + hidden));
        EXPECT_LT(last_of(calls, "fsync " + hidden), named);
        EXPECT_EQ(calls.at(static_cast<size_t>(named) + 1), "fsync " + path.parent_path().string());
    }
    for (const auto& [made, parent] : {std::pair<std::string, std::string>{"runs", "."}, {run, "runs"}, {checkpoints, run}})
        EXPECT_EQ(calls.at(static_cast<size_t>(first_of(calls, "mkdir " + made)) + 1), "fsync " + parent);
}

TEST(Durability, OldCheckpointsGoAfterTheNewOneIsThere) {
    const Faulty tiny(R"({"train": {"keep_last": 1}})");
    const std::vector<std::string> calls = tiny.calls();
    const std::string folder = "runs/tiny/checkpoints/";
    const long removed = first_of(calls, "rename " + folder + "step-000002 -> " + folder + ".step-000002.partial");
    EXPECT_LT(first_of(calls, "rename " + folder + ".step-000004.partial -> " + folder + "step-000004"), removed);
    EXPECT_EQ(first_of(calls, "unlink " + folder + ".step-000004.lock.partial") + 1, removed);
}

// One of the calls that write a checkpoint fails, each call in turn. The run warns, tries again after the next step, and ends as if
// nothing had happened.
TEST(Faults, ACheckpointThatFailsOnceIsTriedAgain) {
    const Faulty tiny;
    const std::vector<std::string> calls = tiny.calls({"--out", "whole"});
    const long first = first_of(calls, "mkdir whole/checkpoints/.step-000004.partial");
    const long last = first_of(calls, "rename whole/checkpoints/.step-000004.partial -> whole/checkpoints/step-000004") + 1;
    ASSERT_GT(last - first, 40);
    for (long call = first; call <= last; call += 3) {
        const int code = call % 2 == 0 ? EIO : ENOSPC;
        const std::string at = "FAULTS_AT=" + std::to_string(call + 1);  // counted from 1
        const ProcessResult result = tiny.train_with({at, fail(code)}, {"--out", "torn", "--overwrite"});
        const std::string what = calls[static_cast<size_t>(call)] + "\n" + result.err;
        ASSERT_EQ(result.code, 0) << what;
        EXPECT_NE(result.err.find("the next try follows after step 5"), std::string::npos) << what;
        EXPECT_TRUE(tiny.exists(step_folder(5, "torn"))) << what;
        EXPECT_EQ(tiny.steps("torn"), kSix);
        for (const fs::path& file : list_files(tiny.folder / step_folder(6, "whole"), true)) {
            const fs::path name = file.lexically_relative(tiny.folder / step_folder(6, "whole"));
            EXPECT_EQ(tiny.bytes(step_folder(6, "whole") / name), tiny.bytes(step_folder(6, "torn") / name)) << name;
        }
        fs::remove_all(tiny.folder / "torn");
    }
}

// If the checkpoint of the best weights can't be written, these weights are lost, and the link `best` points to a checkpoint that
// exists. This run learns nothing, so without the fault the weights that are measured first would stay the best.
TEST(Faults, ABestCheckpointThatFailsIsNotTheBest) {
    const Faulty tiny(R"({"dataset": {"holdout": 10}, "train": {"learning_rate": 1e-30, "validate_every": 4, "keep_last": 1}})");
    const std::vector<std::string> calls = tiny.calls({"--out", "whole"});
    EXPECT_EQ(fs::read_symlink(tiny.folder / "whole/checkpoints/best"), "step-000004");
    const long call = first_of(calls, "mkdir whole/checkpoints/.step-000004.partial");
    const ProcessResult result = tiny.train_with({"FAULTS_AT=" + std::to_string(call + 1), fail(EIO)}, {"--out", "torn"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(fs::read_symlink(tiny.folder / "torn/checkpoints/best"), "step-000006");
    EXPECT_TRUE(tiny.exists("torn/checkpoints/best/unet"));
}

// The same of the samples that were best: these weights do not change, the samples do, so that any judgement may be the best one.
TEST(Faults, ACheckpointOfTheBestSamplesThatFailsIsNotTheBest) {
    const Faulty tiny(R"({"train": {"learning_rate": 1e-30, "checkpoint_every": 0, "keep_last": 1, "steps": 4},
                          "eval": {"every": 2, "n": 20, "features": "pixel", "metrics": "mmd", "reference": 40, "share": 1}})");
    const std::vector<std::string> calls = tiny.calls({"--out", "whole"});
    ASSERT_TRUE(tiny.exists("whole/checkpoints/best-quality/unet"));
    const long call = first_of(calls, "mkdir whole/checkpoints/.step-000002.partial");
    const ProcessResult result = tiny.train_with({"FAULTS_AT=" + std::to_string(call + 1), fail(EIO)}, {"--out", "torn"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(fs::read_symlink(tiny.folder / "torn/checkpoints/best-quality"), "step-000004");
    EXPECT_TRUE(tiny.exists("torn/checkpoints/best-quality/unet"));
}

TEST(Faults, AFullDiskStopsTheRunWithTheOldCheckpointsIntact) {
    const Faulty tiny(R"({"train": {"steps": 60, "checkpoint_every": 10}})");
    const std::vector<std::string> calls = tiny.calls({"--out", "whole"});
    const long full = first_of(calls, "mkdir whole/checkpoints/.step-000020.partial") + 20;
    const ProcessResult result =
        tiny.train_with({"FAULTS_AT=" + std::to_string(full), fail(ENOSPC), "FAULTS_FOR=0"}, {"--out", "torn"});
    EXPECT_EQ(result.code, 1) << result.err;
    EXPECT_EQ(count_lines(result, "error: "), 1) << result.err;
    EXPECT_NE(result.err.find("No space left on device; 3 tries to write a checkpoint failed, so training stops at step 41"),
              std::string::npos)
        << result.err;
    EXPECT_NE(result.err.find("--resume goes on from step-000010"), std::string::npos) << result.err;
    EXPECT_EQ(std::distance(fs::directory_iterator(tiny.folder / "torn/checkpoints"), {}), 1) << "nothing half-written";
    EXPECT_EQ(tiny.run({"info", "--verify", "torn"}).code, 0);
    EXPECT_EQ(tiny.train({"--out", "torn", "--resume"}).code, 0);
    EXPECT_EQ(torture::difference(tiny.folder / "whole", tiny.folder / "torn"), "");
}

TEST(Faults, AMetricLineThatFailsWaitsForTheNext) {
    const std::string half = "FAULTS_DO=half";  // half a line is in the file until the program removes it
    for (const auto& [fault, words] : {std::pair{fail(EIO), "Input/output error"}, {half, "No space left on device"}}) {
        const Faulty tiny;
        const ProcessResult result = tiny.train_with({"FAULTS_MATCH=metrics.jsonl", "FAULTS_AT=7", "FAULTS_FOR=4", fault});
        EXPECT_EQ(result.code, 0) << result.err;
        EXPECT_EQ(result.err.find("metrics.jsonl: can't write"), result.err.rfind("metrics.jsonl: can't write")) << "said once";
        EXPECT_NE(result.err.find(std::string("metrics.jsonl: can't write: ") + words), std::string::npos) << result.err;
        EXPECT_EQ(tiny.steps(), kSix);
    }
}

// The ninth call is the write of step 3.
TEST(Faults, AnEventForTensorboardThatFailsWaitsForTheNext) {
    const std::string half = "FAULTS_DO=half";  // half an event is in the file until the program removes it
    for (const auto& [fault, words] : {std::pair{fail(EIO), "Input/output error"}, {half, "No space left on device"}}) {
        const Faulty tiny(R"({"train": {"tensorboard": true}})");
        const ProcessResult result = tiny.train_with({"FAULTS_MATCH=tfevents", "FAULTS_AT=9", "FAULTS_FOR=4", fault});
        EXPECT_EQ(result.code, 0) << result.err;
        EXPECT_EQ(result.err.find(".ddpm: can't write"), result.err.rfind(".ddpm: can't write")) << "said once";
        EXPECT_NE(result.err.find(std::string(".ddpm: can't write: ") + words), std::string::npos) << result.err;
        const std::vector<fs::path> files = entries_of(tiny.folder / "runs/tiny/tensorboard");
        ASSERT_EQ(files.size(), 1u);
        std::vector<int64_t> steps;
        for (const test::ReadEvent& event : test::read_events(files[0]))
            if (event.scalars.contains("train/loss")) steps.push_back(event.step);
        EXPECT_EQ(steps, kSix);
    }
}

TEST(Faults, APreviewThatFailsDoesNotEndTheRun) {
    const Faulty tiny(R"({"train": {"sample_every": 2}})");
    const ProcessResult result = tiny.train_with({"FAULTS_MATCH=.png", "FAULTS_AT=1", "FAULTS_FOR=0", fail(ENOSPC)});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("step-000002.png: can't write: No space left on device; going on without this picture"),
              std::string::npos)
        << result.err;
    EXPECT_FALSE(tiny.exists("runs/tiny/samples/step-000006.png"));
    EXPECT_EQ(tiny.steps(), kSix);
    // A resume makes the last pictures.
    EXPECT_EQ(tiny.train({"--resume"}).code, 0);
    EXPECT_TRUE(tiny.exists("runs/tiny/samples/step-000006.png"));
    EXPECT_TRUE(tiny.exists("runs/tiny/loss.png"));
}

// A finished run gets more steps and is killed when all of its checkpoints are there. Its old loss.png must not be taken for
// the new one.
TEST(Faults, AKillBeforeTheLastPicturesOfALongerRun) {
    const Faulty tiny;
    for (const char* run : {"whole", "torn"})
        ASSERT_EQ(tiny.train({"--out", run, "--threads", "1", "--set", "train.steps=4"}).code, 0);
    const std::string old = tiny.bytes("torn/loss.png");
    const std::vector<std::string> calls = tiny.calls({"--out", "whole", "--resume"});
    const long last = first_of(calls, "rename whole/checkpoints/.step-000006.partial -> whole/checkpoints/step-000006");
    const ProcessResult killed =
        tiny.train_with({"FAULTS_AT=" + std::to_string(last + 1), "FAULTS_DO=kill"}, {"--out", "torn", "--resume"});
    EXPECT_EQ(killed.code, 128 + SIGKILL);
    EXPECT_TRUE(tiny.exists(step_folder(6, "torn")));
    EXPECT_EQ(tiny.train({"--out", "torn", "--threads", "1", "--resume"}).code, 0);
    EXPECT_NE(tiny.bytes("torn/loss.png"), old);
    EXPECT_EQ(torture::difference(tiny.folder / "whole", tiny.folder / "torn"), "");
}

TEST(Faults, AFolderThatCannotBeWrittenIsSaidInOneLine) {
    const Faulty tiny;
    for (const auto& [code, words] : {std::pair<int, std::string>{EROFS, "Read-only file system"},
                                      {EACCES, "Permission denied"},
                                      {ENOSPC, "No space left on device"}}) {
        const std::vector<std::string> faults{"FAULTS_AT=1", "FAULTS_FOR=0", fail(code)};
        const ProcessResult fresh = tiny.train_with(faults, {"--out", "new"});
        EXPECT_EQ(fresh.code, code == ENOSPC ? 1 : 2) << fresh.err;
        EXPECT_EQ(count_lines(fresh, "error: new: "), 1) << fresh.err;
        EXPECT_NE(fresh.err.find(words), std::string::npos) << fresh.err;
        EXPECT_FALSE(tiny.exists("new"));
    }
    ASSERT_EQ(tiny.train({"--out", "old", "--set", "train.steps=4"}).code, 0);
    fs::remove(tiny.folder / "old/.lock");
    fs::copy(tiny.folder / "old", tiny.folder / "copy", fs::copy_options::recursive);
    for (const char* mode : {"--resume", "--overwrite"}) {
        const ProcessResult result = tiny.train_with({"FAULTS_AT=1", "FAULTS_FOR=0", fail(EROFS)}, {"--out", "old", mode});
        EXPECT_EQ(result.code, 2) << result.err;
        EXPECT_EQ(result.err, "error: old: can't write into this folder: Read-only file system\n");
        EXPECT_EQ(torture::difference(tiny.folder / "copy", tiny.folder / "old"), "");
    }
}

// A read-only file system and a folder without permission are the user's mistake for every verb, a full disk is for none.
TEST(Faults, WhatCanNeverBeWrittenHasOneExitCode) {
    const Faulty tiny;
    ASSERT_EQ(tiny.train().code, 0);
    write_png(tiny.folder / "p.png", make_image(8, 8, 3, 100));
    const std::vector<std::vector<std::string>> commands = {
        {"train", "--config", "tiny.json", "--out", "new"},
        {"train", "--config", "tiny.json", "--resume", "--set", "train.steps=8"},
        {"train", "--config", "tiny.json", "--overwrite"},
        {"sample", "--ckpt", "runs/tiny", "--n", "1", "--steps", "2", "--out", "new"},
        {"sample", "--ckpt", "runs/tiny", "--n", "1", "--steps", "2", "--out", "deep/new"},
        {"sample", "--ckpt", "runs/tiny", "--encode", "p.png", "--steps", "2", "--out", "new.safetensors"},
        {"convert", "runs/tiny", "new"},
        {"convert", "runs/tiny", "deep/new"},
        {"convert", "runs/tiny", "new.safetensors"},
        {"eval", "bpd", "--ckpt", "runs/tiny", "--n", "1", "--steps", "2", "--csv", "new.csv"},
        {"eval", "bpd", "--ckpt", "runs/tiny", "--n", "1", "--steps", "2", "--plot", "new.png"},
        {"schedule", "linear", "--csv", "new.csv"},
        {"schedule", "linear", "--plot", "new.png"},
        {"noise-preview", "p.png", "--T", "50", "--size", "16"},
        {"data", "tiny.json", "--sheet", "new.png"}};
    fs::remove(tiny.folder / "runs/tiny/.lock");
    const std::vector<fs::path> before = list_files(tiny.folder.path(), true);
    for (const auto& [code, expected] : {std::pair<int, int>{EROFS, 2}, {EACCES, 2}, {ENOSPC, 1}})
        for (const std::vector<std::string>& command : commands) {
            const ProcessResult result = run_faulty(command, tiny.folder.path(), {"FAULTS_AT=1", "FAULTS_FOR=0", fail(code)});
            SCOPED_TRACE(fmt::format("{}: {}", fmt::join(command, " "), result.err));
            EXPECT_EQ(result.code, expected);
            EXPECT_EQ(count_lines(result, "error: "), 1);
            EXPECT_NE(result.err.find(std::strerror(code)), std::string::npos);
            EXPECT_EQ(list_files(tiny.folder.path(), true), before);
        }
}

TEST(Faults, AFileSystemWithoutLocksIsSaidOnce) {
    const Faulty tiny;
    const ProcessResult trained = tiny.train_with({"FAULTS_NO_LOCKS=1"});
    EXPECT_EQ(trained.code, 0) << trained.err;
    EXPECT_EQ(count_lines(trained, "warning: runs/tiny/.lock: can't be locked (No locks available)"), 1) << trained.err;
    EXPECT_EQ(count_lines(trained, "warning: runs/tiny/checkpoints/"), 1) << "not for every checkpoint: " << trained.err;
    const ProcessResult drawn =
        run_faulty({"sample", "--ckpt", "runs/tiny", "--n", "1", "--out", "new"}, tiny.folder.path(), {"FAULTS_NO_LOCKS=1"});
    EXPECT_EQ(drawn.code, 0) << drawn.err;
    EXPECT_NE(drawn.err.find(".new.lock.partial: can't be locked (No locks available)"), std::string::npos) << drawn.err;
    EXPECT_TRUE(tiny.exists("new/000000.png"));
}

// On a file system that can't exchange two names a kill can come when neither folder has the name.
TEST(Faults, AKillBetweenTwoRenamesLosesNoPictures) {
    const Faulty tiny;
    ASSERT_EQ(tiny.train().code, 0);
    const std::vector<std::string> sample{"sample", "--ckpt", "runs/tiny", "--n", "1", "--steps", "2", "--out", "s", "--overwrite"};
    ASSERT_EQ(tiny.run(sample).code, 0);
    const std::string old = tiny.bytes("s/000000.png");
    std::vector<std::string> other = sample;
    other.insert(other.end(), {"--seed", "9"});
    const ProcessResult killed = run_faulty(
        other, tiny.folder.path(), {"FAULTS_NO_EXCHANGE=1", "FAULTS_MATCH=.s.old.partial", "FAULTS_AT=1", "FAULTS_DO=kill"});
    EXPECT_EQ(killed.code, 128 + SIGKILL) << killed.err;
    EXPECT_FALSE(tiny.exists("s"));
    other[other.size() - 3] = "--threads=1";  // without --overwrite
    const ProcessResult next = tiny.run(other);
    EXPECT_EQ(next.code, 0) << next.err;
    EXPECT_EQ(tiny.bytes("s/000000.png"), old) << "back again";
    EXPECT_NE(tiny.bytes("s-2/000000.png"), old);
    const ProcessResult replaced = run_faulty(sample, tiny.folder.path(), {"FAULTS_NO_EXCHANGE=1"});
    EXPECT_EQ(replaced.code, 0) << replaced.err;
    EXPECT_EQ(tiny.bytes("s/000000.png"), old);
    for (const fs::path& entry : entries_of(tiny.folder.path())) EXPECT_EQ(name_of_partial(entry.filename().string()), "") << entry;
}

// Whenever a kill comes while the old run is being removed, a resume goes on with the new run.
TEST(Faults, AKilledOverwriteLeavesNothingOfTheOldRun) {
    const Faulty tiny(R"({"train": {"steps": 2, "sample_every": 2}})");
    const std::vector<std::string> other{"--set", "seed=9"}, overwrite{"--overwrite", "--set", "seed=9"};
    std::vector<std::string> fresh = other;
    fresh.insert(fresh.end(), {"--out", "fresh"});
    ASSERT_EQ(tiny.train_with({}, fresh).code, 0);
    ASSERT_EQ(tiny.train_with({}).code, 0);
    fs::copy(tiny.folder / "runs/tiny", tiny.folder / "old", fs::copy_options::recursive);
    const std::vector<std::string> calls = tiny.calls(overwrite);
    const long begun = first_of(calls, "rename runs/tiny/.config.json.partial -> runs/tiny/config.json");
    const long first = first_of(calls, "rename runs/tiny/checkpoints -> runs/tiny/.checkpoints.partial");
    EXPECT_GT(begun, first + 15) << "the old run's files are removed in between";
    for (long call = first + 1; call <= begun + 1; ++call) {
        SCOPED_TRACE(calls.at(static_cast<size_t>(call) - 1));
        fs::remove_all(tiny.folder / "runs/tiny");
        fs::copy(tiny.folder / "old", tiny.folder / "runs/tiny", fs::copy_options::recursive);
        EXPECT_EQ(tiny.train_with({fmt::format("FAULTS_AT={}", call), "FAULTS_DO=kill"}, overwrite).code, 128 + SIGKILL);
        std::vector<std::string> resume = other;
        resume.emplace_back("--resume");
        const ProcessResult result = tiny.train_with({}, resume);
        EXPECT_EQ(result.code, 0) << result.err;
        EXPECT_EQ(torture::difference(tiny.folder / "fresh", tiny.folder / "runs/tiny"), "");
    }
}

TEST(Faults, ObstaclesInThePathAreNamed) {
    const Faulty tiny;
    const std::string longer(300, 'x');
    write_file(tiny.folder / "file", "precious");
    for (const auto& [out, words] : {std::pair<std::string, std::string>{"file", "error: file: exists and is not a folder"},
                                     {"file/run", "error: file: exists and is not a folder"},
                                     {longer, "error: " + longer + ": can't make this folder: File name too long"}}) {
        for (const char* mode : {"--resume", "--overwrite", "--threads=1"}) {
            const ProcessResult result = tiny.train({"--out", out, mode});
            EXPECT_EQ(result.code, 2) << result.err;
            EXPECT_EQ(count_lines(result, words), 1) << result.err;
        }
    }
    EXPECT_EQ(tiny.bytes("file"), "precious");
    // There is a file in the place of the folder of checkpoints.
    make_folders(tiny.folder / "run");
    write_file(tiny.folder / "run/checkpoints", "precious");
    for (const std::vector<std::string>& mode : {std::vector<std::string>{}, {"--resume"}}) {
        std::vector<std::string> arguments{"--out", "run"};
        arguments.insert(arguments.end(), mode.begin(), mode.end());
        const ProcessResult result = tiny.train(arguments);
        EXPECT_EQ(result.code, 2) << result.err;
        EXPECT_EQ(count_lines(result, "error: run"), 1) << result.err;
        EXPECT_EQ(tiny.bytes("run/checkpoints"), "precious");
        EXPECT_FALSE(tiny.exists("run/metrics.jsonl"));
    }
}

TEST(Lock, ASecondRunIntoTheSameFolderIsRefused) {
    const Faulty tiny(R"({"train": {"steps": 1000000, "checkpoint_every": 0}})");
    Process first({DDPM_PROGRAM, "train", "--config", "tiny.json", "--threads", "1"}, tiny.folder.path());
    ASSERT_TRUE(first.wait_for_error("parameters"));
    for (const char* mode : {"--resume", "--overwrite", "--threads=1"}) {
        const ProcessResult second = tiny.train({mode});
        EXPECT_EQ(second.code, 2) << second.err;
        EXPECT_EQ(second.err,
                  "error: runs/tiny: another process is at work in this folder (it holds runs/tiny/.lock)\n"
                  "hint: wait for its end or stop it, or take another folder\n");
    }
    EXPECT_EQ(tiny.train({"--out", "elsewhere", "--set", "train.steps=2"}).code, 0);
    first.signal(SIGKILL);
    EXPECT_EQ(first.wait().code, 128 + SIGKILL);
    const ProcessResult next = tiny.train({"--resume", "--set", "train.steps=2"});
    EXPECT_EQ(next.code, 0) << "a kill leaves nothing to clean: " << next.err;
    EXPECT_EQ(tiny.steps(), (std::vector<int64_t>{1, 2}));
}

TEST(Damage, AResumeFallsBackAndEndsAsTheSameRun) {
    const Faulty tiny;
    ASSERT_EQ(tiny.train({"--out", "whole"}).code, 0);
    for (const char* file :
         {"training/optimizer.safetensors", "unet/diffusion_pytorch_model.safetensors", "training/config.json"}) {
        ASSERT_EQ(tiny.train({"--out", "torn", "--set", "train.steps=6", "--overwrite"}).code, 0);
        fs::remove(tiny.folder / "torn/loss.png");
        const fs::path damaged = tiny.folder / step_folder(6, "torn") / file;
        std::string bytes = read_file(damaged, 1u << 30);
        bytes[bytes.size() / 2] ^= 1;
        write_file(damaged, bytes);
        EXPECT_EQ(tiny.run({"info", "--verify", "torn"}).code, 1);
        const ProcessResult verified = tiny.run({"info", "--verify", step_folder(4, "torn")});
        EXPECT_EQ(verified.out, step_folder(4, "torn") + ": sound\n");
        const ProcessResult resumed = tiny.train({"--out", "torn", "--resume"});
        EXPECT_EQ(resumed.code, 0) << resumed.err;
        const std::string warning = step_folder(6, "torn") + " is damaged (" + file;
        EXPECT_NE(resumed.err.find(warning), std::string::npos) << resumed.err;
        EXPECT_NE(resumed.err.find("taking step-000004 instead"), std::string::npos) << resumed.err;
        EXPECT_TRUE(tiny.exists(step_folder(6, "torn") + ".damaged"));
        fs::remove_all(tiny.folder / (step_folder(6, "torn") + ".damaged"));
        EXPECT_EQ(torture::difference(tiny.folder / "whole", tiny.folder / "torn"), "");
    }
}

TEST(Damage, SamplingFallsBackToo) {
    const Faulty tiny;
    ASSERT_EQ(tiny.train().code, 0);
    const fs::path damaged = tiny.folder / step_folder(6) / "unet/diffusion_pytorch_model.safetensors";
    fs::resize_file(damaged, fs::file_size(damaged) - 3);
    const ProcessResult sampled = tiny.run({"sample", "--ckpt", "runs/tiny", "--n", "1", "--grid", "grid.png"});
    EXPECT_EQ(sampled.code, 0) << sampled.err;
    EXPECT_NE(sampled.err.find("step-000006 is damaged (unet/diffusion_pytorch_model.safetensors: not a sound safetensors file"),
              std::string::npos)
        << sampled.err;
    EXPECT_NE(sampled.err.find("taking step-000004 instead"), std::string::npos) << sampled.err;
    EXPECT_TRUE(tiny.exists(step_folder(6))) << "only a resume sets it aside";
    const ProcessResult named = tiny.run({"sample", "--ckpt", step_folder(6), "--n", "1", "--grid", "grid.png"});
    EXPECT_EQ(named.code, 2) << named.err;
    EXPECT_EQ(count_lines(named, "error: "), 1) << named.err;
}

TEST(Equality, EqualRunsInDifferentFoldersHaveEqualFiles) {
    const Faulty tiny(R"({"train": {"keep_every": 2, "sample_every": 2}})");
    ASSERT_EQ(tiny.train({"--out", "a"}).code, 0);
    ASSERT_EQ(tiny.train({"--out", "quite/another name"}).code, 0);
    EXPECT_EQ(torture::difference(tiny.folder / "a", tiny.folder / "quite/another name"), "");
}

TEST(Signals, AHangUpWritesACheckpointUnlessItIsIgnored) {
    for (const bool ignored : {false, true}) {
        const Tiny tiny(R"({"train": {"steps": 1000000, "checkpoint_every": 0}})");
        const std::string command =
            std::string(ignored ? "trap '' HUP; " : "") + "exec '" + DDPM_PROGRAM + "' train --config tiny.json --threads 1";
        Process process({"/bin/sh", "-c", command}, tiny.folder.path());
        ASSERT_TRUE(process.wait_for_error("parameters"));
        process.signal(SIGHUP);
        if (ignored) {
            ::usleep(200'000);
            process.signal(SIGTERM);
        }
        const ProcessResult result = process.wait();
        EXPECT_EQ(result.code, ignored ? 143 : 129) << result.err;
        EXPECT_NE(result.err.find("--resume"), std::string::npos) << result.err;
        EXPECT_EQ(std::distance(fs::directory_iterator(tiny.folder / "runs/tiny/checkpoints"), {}), 1);
    }
}

TEST(Signals, ALogThatNobodyReadsDoesNotEndTheRun) {
    const Faulty tiny;
    const std::string command =
        std::string("{ sleep 0.2; '") + DDPM_PROGRAM + "' train --config tiny.json; echo $? > code; } 2>&1 | true";
    Process({"/bin/sh", "-c", command}, tiny.folder.path()).wait();
    for (int i = 0; i < 3000 && !tiny.exists("code"); ++i) ::usleep(20'000);  // the shell waits only for `true`
    EXPECT_EQ(tiny.bytes("code"), "0\n");
    EXPECT_EQ(tiny.steps(), kSix);
}

}  // namespace
}  // namespace ddpm
