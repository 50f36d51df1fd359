#include "ddpm/run/run_folder.h"

#include <algorithm>
#include <limits>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/checkpoint/describe.h"
#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/core/files.h"
#include "ddpm/nn/init.h"
#include "ddpm/run/damage.h"
#include "ddpm/run/describe.h"
#include "ddpm/run/resolve.h"
#include "ddpm/run/verify.h"
#include "nn/networks.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

CheckpointContents contents_of(UNet2D& unet) {
    CheckpointContents contents;
    contents.unet = unet.config();
    contents.scheduler = to_scheduler({});
    contents.ema_weights = named_tensors(unet);
    contents.training.weights = {{"w", at::ones({2})}};
    contents.training.optimizer = {{"exp_avg.w", at::zeros({2})}};
    contents.training.counters = {{"step", 20}};
    contents.training.config = {{"dataset", {{"type", "shapes"}, {"path", nullptr}}}};
    contents.training.label_names = {"disc", "ring"};
    return contents;
}

TEST(RunFolder, FindsTheNewestCompleteCheckpoint) {
    const TempFolder run;
    EXPECT_FALSE(newest_checkpoint(run.path()));
    UNet2D unet(test::plain_network());
    const CheckpointContents contents = contents_of(unet);
    for (const int64_t step : {20, 1000000, 300}) write_checkpoint(run.path(), step, contents);
    ASSERT_EQ(list_checkpoints(run.path()).size(), 3u);
    EXPECT_EQ(list_checkpoints(run.path())[1].step, 300);
    EXPECT_EQ(newest_checkpoint(run.path())->path.filename(), "step-1000000");
    EXPECT_EQ(resolve_checkpoint(run.path()).filename(), "step-1000000");
    EXPECT_EQ(resolve_checkpoint(run / "checkpoints").filename(), "step-1000000");
    EXPECT_EQ(resolve_checkpoint(run / "checkpoints/step-000020").filename(), "step-000020");

    // A folder without any one of its files is no checkpoint; nor is one under a name that isn't its own.
    const fs::path newest = run / "checkpoints/step-1000000";
    std::vector<fs::path> files = list_files(newest, true);
    EXPECT_EQ(files.size(), 9u);
    for (const fs::path& file : files) {
        fs::rename(file, run / "aside");
        EXPECT_EQ(newest_checkpoint(run.path())->step, 300) << file;
        fs::rename(run / "aside", file);
    }
    for (const char* name : {".step-1000000.partial", "step-9", "step-000007x", "step-", "step-+00009"}) {
        fs::rename(newest, run / "checkpoints" / name);
        EXPECT_EQ(newest_checkpoint(run.path())->step, 300) << name;
        fs::rename(run / "checkpoints" / name, newest);
    }

    const fs::path checkpoint = newest_checkpoint(run.path())->path;
    EXPECT_EQ(training_counters(checkpoint)["step"], 1000000);
    EXPECT_EQ(training_config(checkpoint), contents.training.config);
    EXPECT_EQ(training_label_names(checkpoint), contents.training.label_names);
    NamedTensors weights = {{"w", at::zeros({2})}}, optimizer = {{"exp_avg.w", at::ones({2})}};
    load_tensors(training_weights(checkpoint), weights);
    load_tensors(training_optimizer(checkpoint), optimizer);
    EXPECT_TRUE(at::equal(weights[0].second, at::ones({2})));
    EXPECT_TRUE(at::equal(optimizer[0].second, at::zeros({2})));
}

// Every file of the newest checkpoint is cut, flipped and taken away in turn.
TEST(RunFolder, PassesOverWhatIsDamaged) {
    const TempFolder run;
    UNet2D unet(test::plain_network());
    for (const int64_t step : {10, 20}) write_checkpoint(run.path(), step, contents_of(unet));
    const fs::path newest = run / "checkpoints/step-000020";
    const auto damaged = [&] { return verify(run.path()).back().damage; };
    ASSERT_EQ(verify(run.path()).size(), 2u);
    EXPECT_TRUE(verify(run.path()).back().has_checksums);
    EXPECT_FALSE(damaged());
    for (const fs::path& file : list_files(newest, true)) {
        const std::string sound = read_file(file, 1u << 30), name = file.lexically_relative(newest).string();
        std::string flipped = sound;
        flipped[sound.size() * 3 / 4] ^= 4;
        for (const std::string& bytes :
             {flipped, sound.substr(0, sound.size() / 2), std::string(sound.size(), '\0'), std::string()}) {
            write_file(file, bytes);
            ASSERT_TRUE(damaged()) << name;
            EXPECT_NE(damaged()->find(name), std::string::npos) << *damaged();
            const bool drawn_from = name.find("training/") == name.npos || name.find(".json") != name.npos;
            EXPECT_EQ(resolve_checkpoint(run.path()).filename(), drawn_from ? "step-000010" : "step-000020") << name;
        }
        fs::remove(file);
        EXPECT_EQ(damaged().value_or(""), name + " is missing");
        write_file(file, sound);
        EXPECT_FALSE(damaged()) << name;
    }
    // Here a checkpoint has another step's name, and then every bit of the file that holds the checksums is flipped.
    fs::rename(newest, run / "checkpoints/step-000021");
    EXPECT_EQ(damaged().value_or(""), "training/counters.json: is of step 20");
    fs::rename(run / "checkpoints/step-000021", newest);
    const fs::path counters = newest / "training/counters.json";
    const std::string sound = read_file(counters, 10000);
    int unseen = 0;
    for (size_t bit = 0; bit < 8 * sound.size(); ++bit) {
        std::string flipped = sound;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
        write_file(counters, flipped);
        if (!damaged()) {
            EXPECT_FALSE(training_counters(newest).contains("crc32")) << bit;  // only its name was hit
            ++unseen;
        }
    }
    EXPECT_LE(unseen, 8 * 5);
    // A damaged checkpoint that is set aside is out of the way of the run and of its pruning.
    fs::remove(counters);
    set_damaged_aside(run.path());
    EXPECT_EQ(newest_checkpoint(run.path())->step, 10);
    EXPECT_TRUE(fs::exists(run / "checkpoints/step-000020.damaged"));
    EXPECT_EQ(verify(run.path()).size(), 1u);
    // If nothing sound is left, nothing is renamed, and no run begins anew.
    fs::remove(run / "checkpoints/step-000010/unet/config.json");
    EXPECT_SAYS(error_of([&] { set_damaged_aside(run.path()); }),
                "all of its checkpoints are damaged; the newest: unet/config.json is missing");
    EXPECT_TRUE(fs::exists(run / "checkpoints/step-000010"));
    EXPECT_SAYS(error_of([&] { resolve_checkpoint(run.path()); }), "all of its checkpoints are damaged");
}

TEST(RunFolder, VerifiesWhateverHoldsTensors) {
    const TempFolder folder;
    UNet2D unet(test::plain_network());
    write_pipeline(folder.path(), unet.config(), to_scheduler({}), named_tensors(unet));
    const fs::path file = folder / "unet/diffusion_pytorch_model.safetensors";
    EXPECT_FALSE(verify(folder.path()).at(0).damage);
    EXPECT_FALSE(verify(file).at(0).damage);
    std::string bytes = read_file(file, 1u << 30);
    bytes.back() ^= 1;
    write_file(file, bytes);
    for (const fs::path& path : {folder.path(), file}) EXPECT_SAYS(verify(path).at(0).damage.value_or(""), "its checksum is");
    EXPECT_SAYS(error_of([&] { verify(folder / "none"); }), "not found");
}

TEST(RunFolder, PrunesAllButTheLastAndEveryNth) {
    const TempFolder run;
    UNet2D unet(test::plain_network());
    for (const int64_t step : {10, 20, 30, 40, 50}) write_checkpoint(run.path(), step, contents_of(unet));
    EXPECT_EQ(prune_checkpoints(run.path(), 2, 20), 2);
    std::vector<int64_t> steps;
    for (const Checkpoint& checkpoint : list_checkpoints(run.path())) steps.push_back(checkpoint.step);
    EXPECT_EQ(steps, (std::vector<int64_t>{20, 40, 50}));
    EXPECT_EQ(prune_checkpoints(run.path(), 0, 0), 2);
    EXPECT_EQ(newest_checkpoint(run.path())->step, 50);
    EXPECT_EQ(std::distance(fs::directory_iterator(run / "checkpoints"), {}), 1);
}

TEST(ResolveCheckpoint, SaysWhatIsMissing) {
    const TempFolder folder;
    EXPECT_SAYS(error_of([&] { resolve_checkpoint(folder / "none"); }), "not found");
    EXPECT_SAYS(error_of([&] { resolve_checkpoint(folder.path()); }), "neither a run folder");
    make_folders(folder / "checkpoints/.step-000001.partial");
    EXPECT_SAYS(error_of([&] { resolve_checkpoint(folder.path()); }), "no complete checkpoint");
    write_file(folder / "file", "x");
    EXPECT_SAYS(error_of([&] { resolve_checkpoint(folder / "file"); }), "is a file");
}

TEST(RunFolder, NamesOfManyClassesAreReadAsTheyWereWritten) {
    const TempFolder run;
    UNet2D unet(test::plain_network());
    CheckpointContents contents = contents_of(unet);
    auto& names = contents.training.label_names;
    names.clear();
    for (int i = 0; i < 300'000; ++i) names.push_back(fmt::format("identity-{:07}", i));
    check_label_names(names);
    const fs::path checkpoint = write_checkpoint(run.path(), 10, contents);
    EXPECT_GT(fs::file_size(checkpoint / "training/labels.json"), 4u << 20);
    EXPECT_EQ(damage_of(checkpoint, NeededFiles::all), std::nullopt);
    EXPECT_TRUE(training_label_names(checkpoint) == names);
    // What can't be read again is refused before it is written.
    const std::vector<std::string> escaped(45, std::string(1 << 20, '\x01'));  // six bytes each in JSON
    EXPECT_SAYS(error_of([&] { check_label_names(escaped); }), "the names of 45 classes take 270 MiB, more than the 256 MiB");
}

TEST(Describe, TellsWhatACheckpointIs) {
    const TempFolder run;
    UNetConfig config = test::plain_network();
    config.sample_size = {8, 12};
    UNet2D unet(config);
    const fs::path checkpoint = write_checkpoint(run.path(), 1234, contents_of(unet));
    const std::string text = describe_checkpoint(run.path());
    EXPECT_SAYS(text, checkpoint.string());
    EXPECT_SAYS(text, "8×12, 3 channels; 8, 16 channels by level; 1 resnet each; attention at 4×6, the middle; 3 classes");
    EXPECT_SAYS(text, "45,355 in 145 tensors (F32, 0.2 MiB)");
    EXPECT_SAYS(text, "cosine (squaredcos_cap_v2), T = 1000, predicts epsilon");
    EXPECT_SAYS(text, "type \"shapes\"");
    EXPECT_SAYS(text, "disc, ring");
    EXPECT_SAYS(text, "ddpm sample --ckpt " + run.path().string());
    const std::string file = describe_checkpoint(checkpoint / "training/weights.safetensors");
    EXPECT_SAYS(file, "2 in 1 tensors (F32, 0.0 MiB)");
    EXPECT_SAYS(file, "[2] w");
    const fs::path whole = run / "whole.safetensors";
    write_pipeline_file(whole, unet.config(), to_scheduler({}), named_tensors(unet));
    EXPECT_SAYS(describe_checkpoint(whole), "cosine (squaredcos_cap_v2)");
}

}  // namespace
}  // namespace ddpm
