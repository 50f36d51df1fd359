#include <limits>

#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>
#include <zlib.h>

#include "cli/tiny.h"

// What lies in a run's folder when `ddpm train` comes to it: what is somebody else's, damaged, unreadable, moved or missing.

namespace ddpm {
namespace {

TEST(RunFolder, WhatIsNoPartOfARunIsNeverReplaced) {
    const std::pair<const char*, const char*> foreign[] = {
        {"mine/samples/holiday.jpg", "a picture"},
        {"mine/checkpoints/notes.txt", "notes"},
        {"mine/tensorboard/events.out.tfevents.1764489600.host", "events"},
        {"mine/samples", "a file"},
        {"mine/config.json", R"({"train": {"steps": 3}})"},
        {"mine/config.json", "no JSON"},
        {"mine/config.json", R"({"seed": 0, "dataset": {}, "model": {}, "diffusion": {}, "train": {}})"},
        {"mine/loss.png", "a picture"},
        {"mine/metrics.jsonl", "numbers"},
        {"mine/samples/step-000100.png", "a picture"},
        {"mine/samples/step-100.jpg", "a picture"},
        {"mine/checkpoints/step-100/model.bin", "weights"},
        {"mine/checkpoints/step-000100/model.bin", "weights"},
        {"mine/checkpoints/best/model.pt", "weights"}};
    for (const auto& [file, bytes] : foreign) {
        const Tiny tiny;
        fs::create_directories((tiny.folder / file).parent_path());
        write_file(tiny.folder / file, bytes);
        for (const char* flag : {"--overwrite", "--resume", "--threads=1"}) {
            const ProcessResult result = tiny.train({"--out", "mine", flag});
            EXPECT_EQ(result.code, 2) << result.err;
            EXPECT_EQ(result.err.rfind("error: mine/", 0), 0u) << result.err;
            EXPECT_NE(result.err.find(": is no part of a run"), std::string::npos) << result.err;
            EXPECT_EQ(tiny.bytes(file), bytes);
            EXPECT_FALSE(tiny.exists("mine/.lock"));
        }
    }
    const Tiny tiny;
    fs::create_directory(tiny.folder / "own");
    fs::copy_file(tiny.folder / "tiny.json", tiny.folder / "own/config.json");
    EXPECT_EQ(tiny.run({"train", "--config", "own/config.json", "--out", "own", "--overwrite"}).code, 2);
    EXPECT_EQ(tiny.bytes("own/config.json"), tiny.bytes("tiny.json"));
    // Half-written by somebody else.
    write_file(tiny.folder / ".movie.mp4.partial", "a film");
    fs::create_directory(tiny.folder / "runs");
    fs::copy(tiny.folder / ".movie.mp4.partial", tiny.folder / "runs");
    ASSERT_EQ(tiny.train({"--out", "runs"}).code, 0);
    EXPECT_EQ(tiny.train({"--out", "runs", "--overwrite"}).code, 0);
    EXPECT_EQ(tiny.bytes("runs/.movie.mp4.partial"), "a film");
}

TEST(RunFolder, OverwriteKeepsLinksAndTakesARunsOwnConfiguration) {
    const Trained tiny;
    fs::rename(tiny.folder / "runs/tiny/checkpoints", tiny.folder / "disk");
    fs::create_directory_symlink("../../disk", tiny.folder / "runs/tiny/checkpoints");
    write_file(tiny.folder / "disk/.step-000004.partial", "torn");
    const ProcessResult result =
        tiny.run({"train", "--config", "runs/tiny/config.json", "--out", "runs/tiny", "--overwrite", "--set", "train.steps=2"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_TRUE(fs::is_symlink(tiny.folder / "runs/tiny/checkpoints"));
    EXPECT_EQ(std::distance(fs::directory_iterator(tiny.folder / "disk"), {}), 1) << "step-000002";
}

TEST(RunFolder, ResumeBeginsAnewWhereNoCheckpointIsAndSaysSo) {
    const Trained tiny;
    const std::string metrics = tiny.bytes("runs/tiny/metrics.jsonl");
    fs::remove_all(tiny.folder / "runs/tiny/checkpoints");
    const ProcessResult result = tiny.run({"train", "--config", "runs/tiny/config.json", "--out", "runs/tiny", "--resume"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("warning: runs/tiny: no complete checkpoint"), std::string::npos) << result.err;
    EXPECT_EQ(steps_of(tiny), kSix);
}

// A checkpoint that can't be read is not a damaged one: it is not renamed, and no steps are taken again.
TEST(RunFolder, ACheckpointThatCannotBeReadStopsAResume) {
    const Trained tiny;
    const fs::path file = tiny.folder / step_folder(6) / "training/optimizer.safetensors";
    fs::rename(file, tiny.folder / "kept");
    fs::create_symlink("optimizer.safetensors", file);
    for (const char* flag : {"--resume", "--check"}) {
        const ProcessResult result = tiny.train({"--resume", flag, "--set", "train.steps=8"});
        EXPECT_EQ(result.code, 2) << result.err;
        EXPECT_NE(result.err.find("training/optimizer.safetensors: can't read: Too many levels"), std::string::npos) << result.err;
    }
    EXPECT_NE(tiny.run({"info", "--verify", "runs/tiny"}).out.find("step-000006: unknown: "), std::string::npos);
    EXPECT_EQ(tiny.run({"sample", "--ckpt", "runs/tiny", "--n", "1"}).code, 0) << "drawing has no use for it";
    fs::rename(tiny.folder / "kept", file);
    const ProcessResult result = tiny.train({"--resume", "--set", "train.steps=8"});
    EXPECT_NE(result.err.find("going on from runs/tiny/checkpoints/step-000006"), std::string::npos) << result.err;
}

TEST(RunFolder, CheckpointsThatCannotBeListedStopAResume) {
    const Trained tiny;
    const std::string metrics = tiny.bytes("runs/tiny/metrics.jsonl");
    fs::rename(tiny.folder / "runs/tiny/checkpoints", tiny.folder / "kept");
    fs::create_directory_symlink("checkpoints", tiny.folder / "runs/tiny/checkpoints");
    for (const char* flag : {"--resume", "--overwrite"}) {
        const ProcessResult result = tiny.train({flag});
        EXPECT_EQ(result.code, 2) << result.err;
        EXPECT_NE(result.err.find("runs/tiny/checkpoints"), std::string::npos) << result.err;
    }
    EXPECT_EQ(tiny.run({"sample", "--ckpt", "runs/tiny"}).code, 2);
    EXPECT_EQ(tiny.bytes("runs/tiny/metrics.jsonl"), metrics);
}

TEST(RunFolder, ARunBesideSomebodysOwnConfigurationIsNotTakenUp) {
    const Trained tiny;
    fs::remove(tiny.folder / "runs/tiny/config.json");
    EXPECT_EQ(tiny.train({"--resume"}).code, 0) << "its checkpoints tell that it is a run";
    fs::copy_file(tiny.folder / "tiny.json", tiny.folder / "runs/tiny/config.json", fs::copy_options::overwrite_existing);
    const ProcessResult result = tiny.run({"train", "--config", "runs/tiny/config.json", "--out", "runs/tiny", "--resume"});
    EXPECT_EQ(result.code, 2);
    EXPECT_EQ(tiny.bytes("runs/tiny/config.json"), tiny.bytes("tiny.json"));
}

TEST(RunFolder, ACheckOfAResumeJudgesAsTheResumeDoes) {
    const Trained tiny;
    write_file(tiny.folder / step_folder(6) / "training/config.json", "{");
    const ProcessResult check = tiny.train({"--resume", "--check", "--set", "train.steps=8"});
    EXPECT_EQ(check.code, 0) << check.err;
    EXPECT_NE(check.err.find("taking step-000004 instead"), std::string::npos) << check.err;
    EXPECT_TRUE(tiny.exists(step_folder(6))) << "a check changes nothing";
    for (int64_t step : {2, 4}) write_file(tiny.folder / step_folder(step) / "training/config.json", "{");
    for (const char* flag : {"--check", "--threads=1"}) {
        const ProcessResult result = tiny.train({"--resume", flag});
        EXPECT_EQ(result.code, 2);
        EXPECT_NE(result.err.find("all of its checkpoints are damaged"), std::string::npos) << result.err;
        EXPECT_NE(result.err.find("`ddpm info --verify runs/tiny/checkpoints`"), std::string::npos) << result.err;
    }
}

TEST(RunFolder, ASecondDamagedCheckpointOfAStepDoesNotReplaceTheFirst) {
    const Trained tiny;
    for (const char* name : {".damaged", ".damaged2"}) {
        write_file(tiny.folder / step_folder(6) / "training/config.json", "{");
        ASSERT_EQ(tiny.train({"--resume"}).code, 0);
        EXPECT_TRUE(tiny.exists(step_folder(6) + name));
        EXPECT_TRUE(tiny.exists(step_folder(6)));
    }
    EXPECT_EQ(tiny.train({"--overwrite"}).code, 0);
}

TEST(RunFolder, FilesThatARunDoesNotMindDoNotStopIt) {
    const Trained tiny;
    fs::create_directory(tiny.folder / "runs/tiny/samples");
    const std::string extra[] = {"samples/.DS_Store", "samples/step-000002-copy.png", "checkpoints/step-000002.zip",
                                 "checkpoints/step-000006.damaged-but-precious"};
    for (const std::string& file : extra) write_file(tiny.folder / "runs/tiny" / file, "somebody's");
    const ProcessResult result = tiny.train({"--resume", "--set", "train.steps=8"});
    EXPECT_EQ(result.code, 0) << result.err;
    const ProcessResult again = tiny.train({"--overwrite"});
    EXPECT_EQ(again.code, 2);
    EXPECT_NE(again.err.find("is no part of a run, and is not replaced, not even by --overwrite"), std::string::npos) << again.err;
    for (const std::string& file : extra) EXPECT_EQ(tiny.bytes("runs/tiny/" + file), "somebody's");
}

TEST(RunFolder, ADamagedConfigurationCostsNothing) {
    const Trained tiny;
    const std::string config = tiny.bytes("runs/tiny/config.json");
    for (const char* flag : {"--resume", "--overwrite"}) {
        write_file(tiny.folder / "runs/tiny/config.json", "");
        const ProcessResult result = tiny.train({flag, "--set", "train.steps=8"});
        EXPECT_EQ(result.code, 0) << result.err;
        EXPECT_EQ(tiny.bytes("runs/tiny/config.json").size(), config.size());
    }
}

TEST(RunFolder, ARunsOwnConfigurationMeansThatRun) {
    const Trained tiny;
    const ProcessResult result = tiny.run({"train", "--config", "runs/tiny/config.json", "--resume", "--set", "train.steps=8"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_TRUE(tiny.exists(step_folder(8)));
    EXPECT_FALSE(tiny.exists("runs/config"));
}

TEST(RunFolder, WhatSomebodyPutIntoACheckpointStays) {
    const Trained tiny;
    write_file(tiny.folder / step_folder(4) / "notes.txt", "notes");
    fs::create_directory(tiny.folder / step_folder(6) / "unet/mine");
    const ProcessResult result = tiny.train({"--resume", "--set", "train.steps=12", "--set", "train.keep_last=1"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("step-000004: holds notes.txt, which no run has written and which is now in step-000004.rest"),
              std::string::npos)
        << result.err;
    EXPECT_FALSE(tiny.exists(step_folder(4)));
    EXPECT_EQ(tiny.bytes(step_folder(4) + ".rest/notes.txt"), "notes");
    EXPECT_FALSE(tiny.exists(step_folder(4) + ".rest/unet"));
    EXPECT_TRUE(tiny.exists(step_folder(6) + ".rest/unet/mine"));
}

// Returns the step whose held-out loss is the lowest, as metrics.jsonl has it.
std::string best_step(const Tiny& tiny) {
    std::string best;
    double lowest = std::numeric_limits<double>::infinity();
    for (const Json& line : read_metrics(tiny.folder / "runs/tiny/metrics.jsonl"))
        if (line.contains("validation") && line["validation"]["ema"]["loss"] < lowest) {
            lowest = line["validation"]["ema"]["loss"];
            best = fs::path(step_folder(line["step"])).filename();
        }
    return best;
}

TEST(RunFolder, ABestCheckpointThatIsTheOnlyCopyIsKept) {
    const Tiny tiny(R"({"dataset": {"holdout": 8},
                        "train": {"steps": 20, "validate_every": 2, "learning_rate": 0.5, "warmup_steps": 0, "ema_decay": 0, "keep_last": 1}})");
    ASSERT_EQ(tiny.train().code, 0);
    const fs::path checkpoints = tiny.folder / "runs/tiny/checkpoints";
    const std::string best = fs::read_symlink(checkpoints / "best");
    ASSERT_NE(best, "step-000020") << "else nothing is tried";
    fs::remove(checkpoints / "best");
    fs::rename(checkpoints / best, checkpoints / "best");  // as of a copy that followed links, and was thinned out
    EXPECT_EQ(best, best_step(tiny));
    ASSERT_EQ(tiny.train({"--resume", "--set", "train.steps=22"}).code, 0);
    EXPECT_EQ(fs::read_symlink(checkpoints / "best"), best_step(tiny)) << "step 22 may be better where sums are rounded otherwise";
    EXPECT_TRUE(best_step(tiny) == "step-000022" || tiny.exists("runs/tiny/checkpoints/" + best));
    EXPECT_TRUE(fs::exists(checkpoints / "best/model_index.json"));
}

TEST(RunFolder, ACheckpointOfTwoRunsIsDamaged) {
    const Tiny tiny;
    ASSERT_EQ(tiny.train().code, 0);
    ASSERT_EQ(tiny.train({"--out", "other", "--set", "seed=1"}).code, 0);
    const char* file = "training/optimizer.safetensors";
    fs::copy_file(tiny.folder / step_folder(6, "other") / file, tiny.folder / step_folder(6) / file,
                  fs::copy_options::overwrite_existing);
    const ProcessResult result = tiny.run({"info", "--verify", "runs/tiny"});
    EXPECT_EQ(result.code, 1);
    EXPECT_NE(result.out.find("step-000006: damaged: training/optimizer.safetensors: is not what was written"), std::string::npos)
        << result.out;
    // Checkpoints from before tell the checksums of JSON files alone.
    const fs::path counters = tiny.folder / step_folder(4) / "training/counters.json";
    Json old = read_json_file(counters);
    for (const char* tensors : {"training/weights.safetensors", file, "unet/diffusion_pytorch_model.safetensors"})
        EXPECT_EQ(old["crc32"].erase(tensors), 1u) << tensors;
    old["crc32"]["training/counters.json"] = "00000000";
    const std::string text = dump_json(old);
    old["crc32"]["training/counters.json"] =
        fmt::format("{:08x}", crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size())));
    write_file(counters, dump_json(old));
    const ProcessResult before = tiny.run({"info", "--verify", "runs/tiny"});
    EXPECT_NE(before.out.find("step-000004: sound"), std::string::npos) << before.out;
}

TEST(RunFolder, RawWeightsAreDrawnFromWhereTheyAreSound) {
    const Trained tiny;
    write_file(tiny.folder / step_folder(6) / "training/weights.safetensors", "torn");
    const ProcessResult result = tiny.run({"sample", "--ckpt", "runs/tiny", "--n", "1", "--weights", "raw"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("taking step-000004 instead"), std::string::npos) << result.err;
}

TEST(RunFolder, OtherClassesStopAResume) {
    const Tiny tiny(R"({"dataset": {"type": "image_folder", "path": "pictures"}, "model": {"num_class_embeds": 3}})");
    for (const char* name : {"pictures/a", "pictures/b"}) {
        fs::create_directories(tiny.folder / name);
        write_file(tiny.folder / name / "x.pgm", "P5 1 1 255\n1");
    }
    ASSERT_EQ(tiny.train().code, 0) << tiny.train().err;
    fs::rename(tiny.folder / "pictures/b", tiny.folder / "pictures/0b");
    for (const char* flag : {"--check", "--threads=1"}) {
        const ProcessResult result = tiny.train({"--resume", flag, "--set", "train.steps=8"});
        EXPECT_EQ(result.code, 2);
        EXPECT_NE(result.err.find("was trained with the classes \"a, b\", and the data set has \"0b, a\" now"), std::string::npos)
            << result.err;
    }
}

TEST(RunFolder, AFolderThatIsMovedTakesItsRunAlong) {
    const Tiny tiny;
    const std::vector<std::string> longer{"--set", "train.steps=4000", "--set", "train.checkpoint_every=0"};
    std::vector<std::string> arguments{DDPM_PROGRAM, "train", "--config", "tiny.json"};
    arguments.insert(arguments.end(), longer.begin(), longer.end());
    Process process(arguments, tiny.folder.path());
    ASSERT_TRUE(process.wait_for_error("parameters"));
    fs::rename(tiny.folder / "runs/tiny", tiny.folder / "moved");
    const ProcessResult result = process.wait();
    EXPECT_EQ(result.code, 1);
    EXPECT_NE(result.err.find("error: runs/tiny: was moved or removed, so training stops at step "), std::string::npos)
        << result.err;
    EXPECT_NE(result.err.find("hint: --resume --out "), std::string::npos) << result.err;
    EXPECT_FALSE(tiny.exists("runs/tiny"));
    const std::vector<Json> lines = read_metrics(tiny.folder / "moved/metrics.jsonl");
    const int64_t step = lines.empty() ? 0 : lines.back().at("step").get<int64_t>();
    EXPECT_TRUE(tiny.exists(step_folder(step, "moved"))) << step;
    EXPECT_EQ(tiny.run({"info", "--verify", "moved"}).code, 0);
}

TEST(RunFolder, WhatAKillLeftGoesAndSomebodysOwnPartialsStay) {
    const Trained tiny;
    const fs::path run = tiny.folder / "runs/tiny", checkpoints = run / "checkpoints";
    const fs::path own[] = {run / "samples/.step-000001.png.partial", checkpoints / ".step-000099.partial/x",
                            checkpoints / ".step-000098.partial/unet/thesis"};
    make_folders(checkpoints / ".step-000099.partial");
    make_folders(checkpoints / ".step-000098.partial/unet");
    for (const fs::path& file : own) write_file(file, "years of work");
    // As kills leave them: a checkpoint that was being removed, one that was being written, a picture.
    const fs::path removed = checkpoints / ".step-000097.partial", begun = checkpoints / ".step-000096.partial",
                   picture = run / "samples/.step-000002.png.partial";
    make_folders(removed / "unet");
    write_file(removed / "unet/config.json", "{}");
    write_file(removed / "unet/.diffusion_pytorch_model.safetensors.partial", "torn");
    make_folders(begun);
    write_file(begun / "anything", "torn");
    write_file(checkpoints / ".step-000096.lock.partial", "");
    write_file(picture, "torn");
    fs::permissions(picture, fs::perms::sticky_bit, fs::perm_options::add);
    const ProcessResult result = tiny.train({"--resume", "--set", "train.steps=8"});
    EXPECT_EQ(result.code, 0) << result.err;
    for (const fs::path& file : own) {
        EXPECT_EQ(read_file(file, 99), "years of work") << file;
        const fs::path item = file.filename() == "x"        ? file.parent_path()
                              : file.filename() == "thesis" ? file.parent_path().parent_path()
                                                            : file;
        EXPECT_NE(result.err.find(item.filename().string() + ": "), std::string::npos) << result.err;
    }
    for (const fs::path& left : {removed, begun, picture, checkpoints / ".step-000096.lock.partial"})
        EXPECT_FALSE(fs::exists(left)) << left;
    EXPECT_NE(result.err.find("removed 2 checkpoints that a kill"), std::string::npos) << result.err;
    write_file(run / ".config.json.partial", "years of work");
    tiny.train({"--resume", "--set", "train.steps=10"});
    EXPECT_EQ(tiny.bytes("runs/tiny/.config.json.partial"), "years of work");
}

TEST(RunFolder, ACheckRefusesALinkInACircleAsTrainingDoes) {
    const Tiny tiny;
    fs::create_symlink("loop", tiny.folder / "loop");
    fs::create_symlink("below/deeper", tiny.folder / "below");
    for (const char* out : {"loop", "loop/x", "below/x"}) {
        const ProcessResult result = tiny.train({"--out", out, "--check"});
        EXPECT_EQ(result.code, 2) << out << ": " << result.err;
        EXPECT_NE(result.err.find("error: "), std::string::npos) << result.err;
    }
    EXPECT_EQ(tiny.train({"--out", "loop/x"}).code, 2);
}

TEST(RunFolder, ALinkedFolderOfCheckpointsSurvivesAKilledOverwrite) {
    const Trained tiny;
    const fs::path run = tiny.folder / "runs/tiny";
    for (const char* flag : {"--resume", "--overwrite"}) {
        fs::rename(run / "checkpoints", tiny.folder / "disk");
        fs::create_directory_symlink("../../disk", run / ".checkpoints.partial");  // where the kill came
        EXPECT_EQ(tiny.train({flag}).code, 0);
        EXPECT_TRUE(fs::is_symlink(run / "checkpoints"));
        EXPECT_EQ(steps_of(tiny), kSix);
        fs::remove(run / "checkpoints");
        fs::rename(tiny.folder / "disk", run / "checkpoints");
    }
}

}  // namespace
}  // namespace ddpm
