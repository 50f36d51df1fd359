// A run that goes on with its pictures in another place, or changed.

#include <functional>

#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "cli/tiny.h"

namespace ddpm {
namespace {

std::string picture(uint8_t grey) { return "P5 2 2 255\n" + std::string(4, static_cast<char>(grey)); }

// A run of four steps on six pictures in "d".
struct Pictured : Tiny {
    Pictured(const std::string& changes = "{}")
        : Tiny(
              R"({"dataset": {"type": "image_folder", "path": "d"}, "model": {"block_out_channels": [8], "attention_resolutions": []},
                   "train": {"steps": 4, "sample_images": 0}})") {
        Json config = read_json_file(folder / "tiny.json");
        config.merge_patch(parse_json(changes, "changes"));
        write_file(folder / "tiny.json", dump_json(config));
        fill("d");
        const ProcessResult result = train();
        EXPECT_EQ(result.code, 0) << result.err;
    }
    void fill(const fs::path& at) const {
        for (int i = 0; i < 6; ++i)
            put(at / (i < 3 ? "a" : "b") / (std::to_string(i) + ".pgm"), picture(static_cast<uint8_t>(40 * i)));
    }
    void put(const fs::path& file, const std::string& bytes) const {
        make_folders((folder / file).parent_path());
        write_file(folder / file, bytes);
    }
    ProcessResult resume(std::vector<std::string> more) const {
        more.insert(more.end(), {"--resume", "--set", "train.steps=6"});
        return train(more);
    }
    ProcessResult resume_in(const std::string& path) const { return resume({"--set", "dataset.path=" + path}); }
    Json counters(int64_t step) const { return read_json_file(folder / step_folder(step) / "training/counters.json"); }
    // Makes the newest checkpoint one of before fingerprints.
    void forget(const std::vector<std::string>& keys) const {
        Json old = counters(4);
        old.erase("crc32");
        for (const std::string& key : keys) EXPECT_EQ(old.erase(key), 1u);
        write_file(folder / step_folder(4) / "training/counters.json", dump_json(old));
    }
};

using Change = std::function<void(const Pictured&)>;

TEST(MovedData, TheSamePicturesMayLieElsewhere) {
    const auto move = [](const Pictured& run) { fs::rename(run.folder / "d", run.folder / "e"); };
    const std::tuple<const char*, Change, std::string> cases[] = {
        {"moved", move, "e"},
        {"moved deeper",
         [](const Pictured& run) { make_folders(run.folder / "x/y"), fs::rename(run.folder / "d", run.folder / "x/y/d"); },
         "x/y/d"},
        {"copied", [](const Pictured& run) { run.fill("e"); }, "e"},
        {"with a slash", move, "e/"},
        {"a link to it", [=](const Pictured& run) { move(run), fs::create_directory_symlink("e", run.folder / "l"); }, "l"},
        {"notes beside them", [=](const Pictured& run) { move(run), run.put("e/notes.txt", "notes"); }, "e"}};
    for (const auto& [what, change, path] : cases) {
        const Pictured run, whole;
        ASSERT_EQ(whole.train({"--resume", "--set", "train.steps=6"}).code, 0);
        change(run);
        const ProcessResult check = run.resume({"--set", "dataset.path=" + path, "--check"});
        EXPECT_EQ(check.code, 0) << what << check.err;
        const ProcessResult result = run.resume_in(path);
        ASSERT_EQ(result.code, 0) << what << result.err;
        EXPECT_NE(result.err.find("dataset.path was \"d\" and is \"" + path + "\" now: the same 6 images\n"), std::string::npos)
            << what << result.err;
        EXPECT_EQ(result.err.find("warning"), std::string::npos) << what << result.err;
        EXPECT_EQ(read_json_file(run.folder / "runs/tiny/config.json")["dataset"]["path"], path);
        EXPECT_EQ(run.counters(6)["data"], whole.counters(6)["data"]);
        for (const char* file :
             {"unet/diffusion_pytorch_model.safetensors", "training/weights.safetensors", "training/optimizer.safetensors"})
            EXPECT_EQ(run.bytes(step_folder(6) + "/" + file), whole.bytes(step_folder(6) + "/" + file)) << what << " " << file;
    }
}

// Another text for the same folder is no move.
TEST(MovedData, APathMayBeWrittenOtherwise) {
    const Pictured run;
    fs::create_directory_symlink("d", run.folder / "l");
    make_folders(run.folder / "below");
    int64_t steps = 4;
    for (const std::string& path : {std::string("./d"), std::string("l"), (run.folder / "d").string(), std::string("d")}) {
        const ProcessResult result =
            run.train({"--resume", "--set", fmt::format("train.steps={}", ++steps), "--set", "dataset.path=" + path});
        EXPECT_EQ(result.code, 0) << result.err;
        EXPECT_EQ(result.err.find("dataset.path"), std::string::npos) << result.err;
    }
    // From another folder, where the old text leads nowhere.
    const ProcessResult lost =
        run_ddpm({"train", "--config", "../tiny.json", "--out", "../runs/tiny", "--resume", "--set", "train.steps=12"},
                 run.folder / "below");
    EXPECT_EQ(lost.code, 2);
    EXPECT_NE(lost.err.find("dataset.path: d: not found; ../runs/tiny/checkpoints/step-000008 was trained on what lay in \"d\""),
              std::string::npos)
        << lost.err;
    EXPECT_NE(lost.err.find("--set dataset.path=FOLDER"), std::string::npos) << lost.err;
    const ProcessResult found = run_ddpm({"train", "--config", "../tiny.json", "--out", "../runs/tiny", "--resume", "--set",
                                          "train.steps=12", "--set", "dataset.path=../d"},
                                         run.folder / "below");
    EXPECT_EQ(found.code, 0) << found.err;
    EXPECT_NE(found.err.find("the same 6 images"), std::string::npos) << found.err;
}

struct Changed {
    const char* what;
    Change change;        // of the folder "d"
    const char* refused;  // what is said when the changed pictures lie elsewhere
    const char* warned;   // … in their old place; empty: nothing
};

const std::vector<Changed>& changes() {
    const auto rename = [](const char* from, const char* to) {
        return [=](const Pictured& run) { fs::rename(run.folder / from, run.folder / to); };
    };
    static const std::vector<Changed> all = {
        {"a picture replaced by one of the same size", [](const Pictured& run) { run.put("d/b/4.pgm", picture(1)); },
         "other pictures than step-000004 was trained on: files of other contents",
         "has changed since step-000004 was written: files of other contents; the run goes on"},
        {"a picture of another size", [](const Pictured& run) { run.put("d/b/4.pgm", "P5 1 1 255\n1"); }, "files of other sizes",
         "files of other sizes"},
        {"renamed so that the order is another", rename("d/a/0.pgm", "d/a/9.pgm"), "other names and contents, or in another order",
         "other names and contents, or in another order"},
        {"one more", [](const Pictured& run) { run.put("d/b/6.pgm", picture(7)); }, "7 images to train on, and there were 6",
         "the data set has 7 images to train on, and had 6"},
        {"one less", [](const Pictured& run) { fs::remove(run.folder / "d/a/0.pgm"); }, "5 images to train on, and there were 6",
         "the data set has 5 images to train on, and had 6"},
        {"one added, one removed",
         [](const Pictured& run) { run.put("d/b/6.pgm", picture(7)), fs::remove(run.folder / "d/a/0.pgm"); },
         "other names and contents", "other names and contents"},
    };
    return all;
}

TEST(MovedData, OtherPicturesElsewhereAreRefused) {
    for (const Changed& one : changes()) {
        const Pictured run;
        one.change(run);
        fs::rename(run.folder / "d", run.folder / "e");
        for (const char* flag : {"--check", "--threads=1"}) {
            const ProcessResult result = run.resume({"--set", "dataset.path=e", flag});
            EXPECT_EQ(result.code, 2) << one.what << result.err;
            EXPECT_NE(result.err.find("dataset.path was \"d\" and is \"e\" now: "), std::string::npos) << one.what << result.err;
            EXPECT_NE(result.err.find(one.refused), std::string::npos) << one.what << result.err;
        }
        EXPECT_FALSE(run.exists(step_folder(6)));
    }
}

TEST(MovedData, WhatChangedInPlaceIsSaidOnce) {
    for (const Changed& one : changes()) {
        const Pictured run;
        one.change(run);
        const ProcessResult result = run.resume({});
        EXPECT_EQ(result.code, 0) << one.what << result.err;
        EXPECT_NE(result.err.find(one.warned), std::string::npos) << one.what << result.err;
        size_t warnings = 0;
        for (size_t at = 0; (at = result.err.find("warning: ", at)) != std::string::npos; ++at) ++warnings;
        EXPECT_EQ(warnings, 1u) << one.what << result.err;
        const ProcessResult again = run.train({"--resume", "--set", "train.steps=8"});
        EXPECT_EQ(again.err.find("warning: "), std::string::npos) << one.what << again.err;
    }
}

TEST(MovedData, OtherNamesInTheSameOrderAreTheSamePictures) {
    for (const bool moved : {false, true}) {
        const Pictured run;
        fs::rename(run.folder / "d/b/5.pgm", run.folder / "d/b/5-sunset.pgm");
        if (moved) fs::rename(run.folder / "d", run.folder / "e");
        const ProcessResult result = run.resume_in(moved ? "e" : "d");
        EXPECT_EQ(result.code, 0) << result.err;
        EXPECT_NE(result.err.find("the same 6 images under other names"), std::string::npos) << result.err;
        EXPECT_EQ(result.err.find("warning: "), std::string::npos) << result.err;
    }
}

// With classes in the network their names decide too, whatever the number is.
TEST(MovedData, OtherClassesElsewhereAreRefused) {
    const Pictured run(R"({"model": {"num_class_embeds": 3}})");
    fs::rename(run.folder / "d", run.folder / "e");
    EXPECT_EQ(run.resume({"--set", "dataset.path=e", "--check"}).code, 0);
    for (const auto& [from, to, words] : {std::tuple{"e/b", "e/c", "new: c; gone: b"}, {"e/a", "e/z", "new: c, z; gone: a, b"}}) {
        fs::rename(run.folder / from, run.folder / to);
        const ProcessResult result = run.resume_in("e");
        EXPECT_EQ(result.code, 2) << result.err;
        EXPECT_NE(result.err.find(words), std::string::npos) << result.err;
        EXPECT_NE(result.err.find("--init-from RUN"), std::string::npos) << result.err;
    }
}

// The part that is held out follows from the whole.
TEST(MovedData, WithAHeldOutPartThePicturesThatAreTrainedOnCount) {
    const Pictured run(R"({"dataset": {"holdout": 2}, "train": {"validate_every": 2}})");
    fs::rename(run.folder / "d", run.folder / "e");
    const ProcessResult result = run.resume_in("e");
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("the same 4 images"), std::string::npos) << result.err;
}

TEST(MovedData, ARunOfBeforeFingerprintsGoesByNumberAndClasses) {
    for (const bool counted : {true, false}) {
        const Pictured run;
        run.forget(counted ? std::vector<std::string>{"data"} : std::vector<std::string>{"data", "images"});
        run.put("d/b/4.pgm", picture(1));  // which nobody can tell
        const ProcessResult same = run.train({"--resume", "--check", "--set", "train.steps=6"});
        EXPECT_EQ(same.err.find("fingerprints"), std::string::npos) << same.err;
        fs::rename(run.folder / "d", run.folder / "e");
        const ProcessResult result = run.resume({"--set", "dataset.path=e", "--check"});
        EXPECT_EQ(result.code, 0) << result.err;
        EXPECT_NE(result.err.find(
                      counted ? "step-000004 is of before data had fingerprints, so the number of images (6) and the classes decide"
                              : "so the classes alone decide"),
                  std::string::npos)
            << result.err;
        run.put("e/b/6.pgm", picture(1));
        EXPECT_EQ(run.resume({"--set", "dataset.path=e", "--check"}).code, counted ? 2 : 0);
        fs::remove(run.folder / "e/b/6.pgm");
        ASSERT_EQ(run.resume_in("e").code, 0);
        EXPECT_TRUE(run.counters(6).contains("data")) << "from now on";
        fs::rename(run.folder / "e", run.folder / "f");
        const ProcessResult again = run.train({"--resume", "--set", "train.steps=8", "--set", "dataset.path=f"});
        EXPECT_NE(again.err.find("the same 6 images"), std::string::npos) << again.err;
    }
}

// Nothing but the place may change.
TEST(MovedData, OtherSettingsOfTheDataAreRefusedAsBefore) {
    const Pictured run;
    fs::rename(run.folder / "d", run.folder / "e");
    const ProcessResult result = run.resume({"--set", "dataset.path=e", "--set", "dataset.random_flip=true"});
    EXPECT_EQ(result.code, 2);
    EXPECT_NE(result.err.find("dataset.random_flip (false there, true now)"), std::string::npos) << result.err;
    EXPECT_EQ(result.err.find("dataset.path"), std::string::npos) << result.err;
}

TEST(MovedData, AnEvaluationSaysWhatIsGone) {
    const Pictured run;
    fs::rename(run.folder / "d", run.folder / "e");
    const ProcessResult result = run.run({"eval", "bpd", "--ckpt", "runs/tiny"});
    EXPECT_EQ(result.code, 2);
    EXPECT_NE(result.err.find("d: not found, and runs/tiny/checkpoints/step-000004 was trained on what lay there"),
              std::string::npos)
        << result.err;
    EXPECT_NE(result.err.find("--data FOLDER"), std::string::npos) << result.err;
    EXPECT_EQ(run.run({"eval", "bpd", "--ckpt", "runs/tiny", "--data", "e", "--steps", "2"}).code, 0);
}

}  // namespace
}  // namespace ddpm
