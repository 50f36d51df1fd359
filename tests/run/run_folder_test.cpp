#include "ddpm/run/run_folder.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <set>
#include <thread>

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
#include "support/captured_log.h"
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

// Tensors with NaN or infinity, in each file that holds some, are named; checksums that fit make them no better.
TEST(RunFolder, VerifyNamesTensorsThatAreNotFinite) {
    const TempFolder run;
    UNet2D unet(test::plain_network());
    const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
    CheckpointContents contents = contents_of(unet);
    write_checkpoint(run.path(), 10, contents);
    EXPECT_FALSE(verify(run.path()).at(0).not_finite);
    contents.training.weights = {{"w", at::tensor({1.0f, nan})}};
    contents.training.optimizer = {{"exp_avg.w", at::tensor({1.0f, -infinity})}, {"exp_avg_sq.w", at::zeros({2})}};
    write_checkpoint(run.path(), 20, contents);
    const at::NoGradGuard no_grad;
    unet.named_parameters()["conv_in.bias"][0] = infinity;
    contents.training.weights = {{"w", at::ones({2})}};
    contents.training.optimizer = {{"exp_avg.w", at::ones({2})}};
    const fs::path last = write_checkpoint(run.path(), 30, contents);
    const std::vector<Verdict> verdicts = verify(run.path());
    ASSERT_EQ(verdicts.size(), 3u);
    EXPECT_FALSE(verdicts[0].not_finite);
    EXPECT_EQ(verdicts[1].not_finite.value_or(""),
              "training/weights.safetensors: 1 of 1 tensor with values that are not finite: w; "
              "training/optimizer.safetensors: 1 of 2 tensors with values that are not finite: exp_avg.w");
    EXPECT_SAYS(verdicts[2].not_finite.value_or(""), "unet/diffusion_pytorch_model.safetensors: 1 of 145 tensors");
    EXPECT_SAYS(verdicts[2].not_finite.value_or(""), "conv_in.bias");
    for (const Verdict& verdict : verdicts) EXPECT_FALSE(verdict.damage);
    const Verdict file = verify(last / "unet/diffusion_pytorch_model.safetensors").at(0);
    EXPECT_EQ(file.not_finite.value_or(""), "1 of 145 tensors with values that are not finite: conv_in.bias");
    std::vector<std::pair<std::string, at::Tensor>> many;
    for (int i = 0; i < 8; ++i)
        many.emplace_back(fmt::format("w{}", i), at::full({1}, nan, i % 2 == 0 ? at::kHalf : at::kBFloat16));
    write_safetensors(run / "many.safetensors", many);
    EXPECT_EQ(verify(run / "many.safetensors").at(0).not_finite.value_or(""),
              "8 of 8 tensors with values that are not finite: w0, w1, w2, w3, w4 and 3 more");
}

// A run that goes on removes its checkpoints while others look at them.
TEST(RunFolder, IsReadWhileItPrunes) {
    const TempFolder run;
    UNet2D unet(test::plain_network());
    unet.eval();
    const CheckpointContents contents = contents_of(unet);
    write_checkpoint(run.path(), 1, contents);
    std::atomic<bool> enough{false};
    int64_t written = 1;
    std::thread training([&] {
        while (!enough) {
            write_checkpoint(run.path(), ++written, contents);
            prune_checkpoints(run.path(), 1, 0);
        }
    });
    const CapturedLog log;
    std::set<std::string> seen;
    for (int i = 0; i < 30 || seen.size() < 5; ++i) {
        std::string text;
        EXPECT_NO_THROW(text = describe_checkpoint(run.path()));
        EXPECT_NO_THROW(newest_sound(run / "checkpoints", NeededFiles::all));
        EXPECT_NO_THROW(verify(run.path()));
        seen.insert(text.substr(0, text.find('\n')));
    }
    enough = true;
    training.join();
    EXPECT_EQ(log.text().find("damaged"), std::string::npos) << log.text();
    EXPECT_GT(written, 4);
}

TEST(ResolveCheckpoint, TakesTheNextOneIfOneIsPruned) {
    const TempFolder run;
    UNet2D unet(test::plain_network());
    write_checkpoint(run.path(), 10, contents_of(unet));
    int times = 0;
    const std::string used = with_checkpoint(run.path(), NeededFiles::drawing, [&](const fs::path& checkpoint) {
        if (++times == 1) {
            write_checkpoint(run.path(), 20, contents_of(unet));
            prune_checkpoints(run.path(), 1, 0);
            training_counters(checkpoint);  // is gone
        }
        return checkpoint.filename().string();
    });
    EXPECT_EQ(used, "step-000020");
    EXPECT_EQ(times, 2);
    // Other errors are errors, and a checkpoint that is named itself has none to take its place.
    const auto fails = [&](const fs::path& path) {
        return error_of([&] {
            with_checkpoint(path, NeededFiles::drawing, [&](const fs::path& checkpoint) {
                if (path != run.path()) fs::remove_all(checkpoint);
                user_error("no");
                return 0;
            });
        });
    };
    EXPECT_EQ(fails(run.path()), "no");
    EXPECT_EQ(fails(run / "checkpoints/step-000020"), "no");
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

// Two links, each with its own checkpoint. In a copy that followed links they are folders, of one checkpoint or of two.
TEST(RunFolder, LinksWhatIsBestByEachMeasure) {
    const TempFolder run;
    const fs::path folder = run / "checkpoints";
    UNet2D unet(test::plain_network());
    const CheckpointContents contents = contents_of(unet);
    for (const int64_t step : {20, 300}) write_checkpoint(run.path(), step, contents);
    mark_best_checkpoint(run.path(), 20);
    mark_best_checkpoint(run.path(), 300, kBestByQuality);
    EXPECT_EQ(fs::read_symlink(folder / "best"), "step-000020");
    EXPECT_EQ(fs::read_symlink(folder / "best-quality"), "step-000300");
    EXPECT_EQ(resolve_checkpoint(folder / "best-quality"), folder / "best-quality");
    EXPECT_EQ(list_checkpoints(run.path()).size(), 2u) << "a link is no checkpoint of its own";
    for (const char* name : {"best", "best-quality", "step-000020"}) EXPECT_TRUE(is_name_of_run("checkpoints", name)) << name;
    for (const char* name : {"best-loss", "best-quality.damaged", "best-quality-2"})
        EXPECT_FALSE(is_name_of_run("checkpoints", name)) << name;
    mark_best_checkpoint(run.path(), std::nullopt, kBestByQuality);
    EXPECT_FALSE(fs::exists(fs::symlink_status(folder / "best-quality")));
    EXPECT_TRUE(fs::is_symlink(folder / "best")) << "the other one stays";

    fs::remove(folder / "best");
    for (const char* name : {"best", "best-quality"}) fs::copy(folder / "step-000020", folder / name, fs::copy_options::recursive);
    fs::remove_all(folder / "step-000020");
    mark_best_checkpoint(run.path(), 20);
    mark_best_checkpoint(run.path(), 20, kBestByQuality);
    EXPECT_TRUE(is_complete(folder / "step-000020"));
    for (const char* name : {"best", "best-quality"}) EXPECT_EQ(fs::read_symlink(folder / name), "step-000020") << name;
}

TEST(ResolveCheckpoint, SaysWhatIsMissing) {
    const TempFolder folder;
    EXPECT_SAYS(error_of([&] { resolve_checkpoint(folder / "none"); }), "not found");
    EXPECT_SAYS(error_of([&] { resolve_checkpoint(folder.path()); }), "neither a run folder");
    make_folders(folder / "checkpoints/.step-000001.partial");
    EXPECT_SAYS(error_of([&] { resolve_checkpoint(folder.path()); }), "no complete checkpoint");
    write_file(folder / "file", "x");
    EXPECT_SAYS(error_of([&] { resolve_checkpoint(folder / "file"); }), "is a file of text, expected a run folder");
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
    std::vector<std::string> escaped(45, std::string(1 << 20, '\x01'));  // six bytes each in JSON
    for (size_t i = 0; i < escaped.size(); ++i) escaped[i].back() = static_cast<char>('a' + i);
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
