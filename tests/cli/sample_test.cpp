#include <algorithm>
#include <cmath>
#include <map>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "cli/tiny.h"
#include "ddpm/checkpoint/safetensors.h"
#include "ddpm/image/codec.h"
#include "ddpm/sampling/noise.h"

namespace ddpm {
namespace {

// One trained run for all tests of this file.
const Tiny& trained() {
    static const Trained tiny;
    return tiny;
}

ProcessResult sample(std::vector<std::string> more, const std::string& checkpoint = "runs/tiny") {
    more.insert(more.begin(), {"sample", "--ckpt", checkpoint});
    return trained().run(more);
}

std::string text_of(const fs::path& file, const std::string& key) {
    for (const auto& [name, value] : read_png_text(file))
        if (name == key) return value;
    return "";
}

// Largest difference of any pixel.
int difference(const Image& a, const Image& b) {
    EXPECT_EQ(a.pixels.size(), b.pixels.size());
    int largest = 0;
    for (size_t i = 0; i < a.pixels.size(); ++i) largest = std::max(largest, std::abs(a.pixels[i] - b.pixels[i]));
    return largest;
}

TEST(Sample, WritesExactlyNPicturesAndHowTheyWereMade) {
    const ProcessResult result =
        sample({"--n", "5", "--out", "five", "--seed", "3", "--grid", "grid.png", "--trajectory", "way.png"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("seed 3"), std::string::npos) << "the seed is printed";
    EXPECT_EQ(list_files(trained().folder / "five", true).size(), 5u);
    const fs::path last = trained().folder / "five/000004.png";
    EXPECT_EQ(probe_image(last).width, 8);
    EXPECT_EQ(probe_image(last).channels, 3);
    EXPECT_EQ(text_of(last, "sampler"), "ddim");
    EXPECT_EQ(text_of(last, "steps"), "5");
    EXPECT_EQ(text_of(last, "seed"), "3");
    EXPECT_EQ(text_of(last, "index"), "4");
    EXPECT_NE(text_of(last, "checkpoint").find("step-000006"), std::string::npos);
    EXPECT_EQ(text_of(last, "precision"), "fp32");
    EXPECT_EQ(text_of(last, "kernels"), "fast");
    for (const char* name : {"grid.png", "way.png"}) {
        const fs::path sheet = trained().folder / name;
        for (const char* key :
             {"checkpoint", "sampler", "steps", "seed", "weights", "precision", "kernels", "timestep_spacing", "clip"})
            EXPECT_EQ(text_of(sheet, key), text_of(last, key)) << name << " " << key;
        EXPECT_EQ(text_of(sheet, "first_index"), "0") << name;
        EXPECT_EQ(text_of(sheet, "count"), "5") << name;
        EXPECT_EQ(text_of(sheet, "index"), "") << name;
    }
}

TEST(Sample, APictureDoesNotDependOnItsCompany) {
    for (const std::string sampler : {"ddim", "ancestral"}) {
        ASSERT_EQ(sample({"--n", "8", "--out", sampler + "8", "--sampler", sampler}).code, 0);
        ASSERT_EQ(sample({"--n", "6", "--batch", "2", "--out", sampler + "6", "--sampler", sampler}).code, 0);
        const Image a = read_image(trained().folder / (sampler + "8") / "000005.png");
        const Image b = read_image(trained().folder / (sampler + "6") / "000005.png");
        EXPECT_LE(difference(a, b), 1) << "equal to rounding of the kernels";
        EXPECT_GT(difference(a, read_image(trained().folder / (sampler + "8") / "000004.png")), 10);
    }
}

TEST(Sample, OverwriteReplacesPicturesAndNothingElse) {
    ASSERT_EQ(sample({"--n", "3", "--out", "o"}).code, 0);
    const ProcessResult refused = sample({"--n", "2", "--out", "o"});
    EXPECT_EQ(refused.code, 2);
    EXPECT_NE(refused.err.find("--overwrite"), std::string::npos) << refused.err;
    ASSERT_EQ(sample({"--n", "2", "--out", "o", "--overwrite"}).code, 0);
    EXPECT_EQ(list_files(trained().folder / "o", true).size(), 2u) << "exactly N";
    write_file(trained().folder / "o/thesis.txt", "years of work");
    EXPECT_EQ(sample({"--n", "2", "--out", "o", "--overwrite"}).code, 2);
    EXPECT_TRUE(trained().exists("o/thesis.txt"));
    // Called like ours, but not drawn here.
    make_folders(trained().folder / "photos");
    write_png(trained().folder / "photos/000000.png", make_image(8, 8, 3, 7));
    const std::string photo = trained().bytes("photos/000000.png");
    EXPECT_EQ(sample({"--n", "2", "--out", "photos", "--overwrite"}).code, 2);
    EXPECT_EQ(trained().bytes("photos/000000.png"), photo);
    for (const char* name : {"samples.npz", "samples.safetensors"}) {
        const fs::path folder = trained().folder / (std::string("own-") + name);
        make_folders(folder);
        write_file(folder / name, "mine");
        EXPECT_EQ(sample({"--n", "2", "--out", folder.string(), "--overwrite"}).code, 2);
        EXPECT_EQ(read_file(folder / name, 9), "mine");
    }
}

TEST(Sample, TheFolderHoldsThePicturesAlone) {
    fs::create_directory(trained().folder / "taken");
    for (const char* out : {"taken", "not-yet"}) {
        for (const char* name : {"/000000.png", "/grid.png"}) {
            const std::string grid = std::string(out) + name;
            const ProcessResult result = sample({"--n", "1", "--out", out, "--grid", grid});
            EXPECT_EQ(result.code, 2);
            EXPECT_NE(result.err.find("--grid: " + grid + ": lies in --out"), std::string::npos) << result.err;
        }
    }
    EXPECT_EQ(sample({"--n", "1", "--out", "a.png", "--grid", "a.png"}).code, 2);
    EXPECT_EQ(sample({"--n", "1", "--out", "."}).code, 2);
}

TEST(Sample, AFolderBehindALinkIsFilledThere) {
    fs::create_directory(trained().folder / "disk");
    fs::create_directory_symlink("disk", trained().folder / "link");
    for (const char* flag : {"--threads=1", "--overwrite"}) {
        ASSERT_EQ(sample({"--n", "2", "--out", "link", flag}).code, 0);
        EXPECT_TRUE(fs::is_symlink(trained().folder / "link"));
        EXPECT_EQ(list_files(trained().folder / "disk", false).size(), 2u);
    }
}

// Hours may pass between the look at the folder and its end.
TEST(Sample, WhatComesMeanwhileIsLeftAsItIs) {
    std::vector<std::string> arguments{DDPM_PROGRAM, "sample", "--ckpt", "runs/tiny", "--out",
                                       "slow",       "--n",    "1000",   "--steps",   "50"};
    Process first(arguments, trained().folder.path());
    ASSERT_TRUE(first.wait_for_error("1000 pictures by"));
    while (first.alive() && !trained().exists(".slow.partial")) ::usleep(1000);
    const ProcessResult second = sample({"--n", "1", "--out", "slow"});
    EXPECT_EQ(second.code, 2);
    EXPECT_NE(second.err.find("slow: another process makes this folder now"), std::string::npos) << second.err;
    make_folders(trained().folder / "slow");
    write_file(trained().folder / "slow/thesis.txt", "years of work");
    const ProcessResult result = first.wait();
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("slow-2"), std::string::npos) << result.err;
    EXPECT_EQ(list_files(trained().folder / "slow-2", false).size(), 1000u);
    EXPECT_EQ(trained().bytes("slow/thesis.txt"), "years of work");
}

TEST(Sample, ACheckpointThatIsNamedMustBeSound) {
    const fs::path sound = trained().folder / step_folder(6), copy = trained().folder / "copies/step-000006";
    for (const char* file : {"model_index.json", "unet/config.json", "scheduler/scheduler_config.json", "training/config.json",
                             "training/counters.json", "unet/diffusion_pytorch_model.safetensors"}) {
        for (const bool removed : {false, true}) {
            fs::remove_all(copy);
            fs::create_directories(copy.parent_path());
            fs::copy(sound, copy, fs::copy_options::recursive);
            std::string bytes = read_file(copy / file, 1 << 24);
            bytes.back() = static_cast<char>(bytes.back() ^ 1);
            if (removed)
                fs::remove(copy / file);
            else
                write_file(copy / file, bytes);
            const ProcessResult result = sample({"--n", "1", "--out", "named", "--overwrite"}, "copies/step-000006");
            EXPECT_EQ(result.code, 2) << result.err;
            EXPECT_NE(result.err.find("copies/step-000006: damaged: " + std::string(file)), std::string::npos) << result.err;
        }
    }
    // What drawing has no use for may be gone: the settings of training stay in force.
    fs::remove_all(copy);
    fs::copy(sound, copy, fs::copy_options::recursive);
    fs::remove(copy / "training/optimizer.safetensors");
    fs::remove(copy / "training/weights.safetensors");
    ASSERT_EQ(sample({"--n", "1", "--out", "named", "--overwrite"}, "copies/step-000006").code, 0);
    EXPECT_EQ(text_of(trained().folder / "named/000000.png", "sampler"), "ddim");
}

TEST(Sample, FlagsDecideOverTheCheckpoint) {
    ASSERT_EQ(sample({"--n", "1", "--out", "flags", "--sampler", "ancestral", "--steps", "7", "--variance", "fixed_large",
                      "--no-clip", "--weights", "raw"})
                  .code,
              0);
    const fs::path file = trained().folder / "flags/000000.png";
    EXPECT_EQ(text_of(file, "sampler"), "ancestral");
    EXPECT_EQ(text_of(file, "steps"), "7");
    EXPECT_EQ(text_of(file, "variance"), "fixed_large");
    EXPECT_EQ(text_of(file, "clip"), "none");
    EXPECT_EQ(text_of(file, "weights"), "raw");
}

TEST(Sample, BeginsWithNoiseWhereNothingOfThePictureIsLeft) {
    // T is 50: 26 steps in leading spacing begin at t = 25.
    const ProcessResult refused = sample({"--steps", "26", "--spacing", "leading", "--out", "middle"});
    EXPECT_EQ(refused.code, 2);
    EXPECT_NE(refused.err.find("--spacing: leading spacing of 26 steps begins at t = 25, where √ᾱ = 0.68 of"), std::string::npos)
        << refused.err;
    EXPECT_FALSE(trained().exists("middle"));
    const Tiny unsaid(R"({"sample": {"timestep_spacing": null}, "train": {"steps": 1}})");
    ASSERT_EQ(unsaid.train().code, 0);
    const ProcessResult switched = unsaid.run({"sample", "--ckpt", "runs/tiny", "--steps", "26", "--n", "1", "--out", "switched"});
    EXPECT_EQ(switched.code, 0) << switched.err;
    EXPECT_NE(switched.err.find("taking trailing spacing, from t = 49"), std::string::npos) << switched.err;
    const ProcessResult trailing =
        unsaid.run({"sample", "--ckpt", "runs/tiny", "--steps", "26", "--n", "1", "--spacing", "trailing", "--out", "trailing"});
    EXPECT_EQ(trailing.code, 0) << trailing.err;
    EXPECT_EQ(trailing.err.find("warning"), std::string::npos) << trailing.err;
    EXPECT_EQ(unsaid.bytes("switched/000000.png"), unsaid.bytes("trailing/000000.png"));
    const ProcessResult whole = unsaid.run({"sample", "--ckpt", "runs/tiny", "--steps", "25", "--n", "1", "--out", "half"});
    EXPECT_EQ(whole.err.find("warning"), std::string::npos) << "it begins at t = 48: " << whole.err;
}

// The picture's text says what was in force, by the names that the configuration has for it.
TEST(Sample, ThePictureSaysHowToSampleItAgain) {
    const auto texts = [](const std::string& out, std::vector<std::string> flags) {
        flags.insert(flags.end(), {"--n", "1", "--out", out});
        const ProcessResult result = sample(flags);
        EXPECT_EQ(result.code, 0) << result.err;
        std::map<std::string, std::string> texts;
        for (const auto& [name, value] : read_png_text(trained().folder / out / "000000.png")) texts[name] = value;
        return texts;
    };
    auto said = texts("said1", {"--sampler", "heun", "--steps", "4", "--spacing", "karras", "--churn", "3", "--churn-min", "0.1",
                                "--threshold", "0.9"});
    EXPECT_EQ(said["sampler"], "heun");
    EXPECT_EQ(said["steps"], "4");
    EXPECT_EQ(said["timestep_spacing"], "karras");
    EXPECT_EQ(said["rho"], "7");
    EXPECT_EQ(said["s_churn"], "3");
    EXPECT_EQ(said["s_tmin"], "0.1");
    EXPECT_EQ(said["s_tmax"], "none");
    EXPECT_EQ(said["s_noise"], "1");
    EXPECT_EQ(said["threshold_ratio"], "0.9");
    EXPECT_EQ(said["threshold_max"], "none");
    EXPECT_FALSE(said.contains("clip"));
    said = texts("said2", {"--sampler", "euler_a", "--timesteps", "49,30,10,0"});
    EXPECT_EQ(said["sampler"], "ddim");
    EXPECT_EQ(said["eta"], "1");
    EXPECT_EQ(said["steps"], "4");
    EXPECT_EQ(said["timesteps"], "49,30,10,0");
    EXPECT_FALSE(said.contains("timestep_spacing"));
    EXPECT_EQ(said["clip"], "1");
    said = texts("said3", {"--sampler", "uni_pc", "--steps", "3", "--order", "3"});
    EXPECT_EQ(said["sampler"], "unipc");
    EXPECT_EQ(said["order"], "3");
    EXPECT_EQ(said["timestep_spacing"], "trailing");
}

// Another name, a list in place of a spacing, and an order that few steps don't reach: the same picture.
TEST(Sample, OneWayOfSamplingHasOnePicture) {
    const auto picture = [](const std::string& out, std::vector<std::string> flags) {
        // Clipped, the pictures of six steps of training are black and white.
        flags.insert(flags.end(), {"--n", "1", "--no-clip", "--out", out, "--format", "safetensors"});
        const ProcessResult result = sample(flags);
        EXPECT_EQ(result.code, 0) << result.err;
        return trained().bytes(out + "/samples.safetensors");
    };
    const std::string plain = picture("way1", {"--sampler", "ddim", "--eta", "1", "--steps", "5", "--spacing", "trailing"});
    EXPECT_EQ(picture("way2", {"--sampler", "euler_ancestral", "--steps", "5", "--spacing", "trailing"}), plain);
    EXPECT_EQ(picture("way3", {"--sampler", "euler_a", "--timesteps", "49,39,29,19,9"}), plain);
    const std::string unipc = picture("way4", {"--sampler", "unipc", "--steps", "2", "--order", "2"});
    EXPECT_EQ(picture("way5", {"--sampler", "unipc", "--steps", "2", "--order", "3"}), unipc);
    EXPECT_NE(picture("way6", {"--sampler", "unipc", "--steps", "3"}), unipc);
}

TEST(Sample, SaysHowOftenTheNetworkIsAsked) {
    const ProcessResult heun = sample({"--sampler", "heun", "--steps", "4", "--n", "1", "--out", "asked1"});
    EXPECT_NE(heun.err.find("by heun in 4 steps (7 evaluations),"), std::string::npos) << heun.err;
    const ProcessResult unipc = sample({"--sampler", "unipc", "--steps", "4", "--n", "1", "--out", "asked2"});
    EXPECT_NE(unipc.err.find("by unipc in 4 steps, "), std::string::npos) << unipc.err;
    const ProcessResult help = trained().run({"sample", "--help"});
    for (const char* words :
         {"euler: eta 0", "dpmpp_2m_sde: eta 1", "unipc (uni_pc)", "heun: 19 evaluations in 10 steps", "karras"})
        EXPECT_NE(help.out.find(words), std::string::npos) << words;
}

TEST(Sample, RefusesWhatTheSamplerOrModelDoesNotHave) {
    for (const auto& [arguments, word] : std::vector<std::pair<std::vector<std::string>, std::string>>{
             {{"--variance", "fixed_large"}, "variance"},
             {{"--sampler", "ancestral", "--eta", "1"}, "eta"},
             {{"--steps", "51"}, "51"},
             {{"--sampler", "heun", "--churn-noise", "1.1"}, "--churn-noise: no"},
             {{"--churn", "5"}, "--churn: the ddim sampler"},
             {{"--order", "3"}, "--order: the ddim sampler"},
             {{"--rho", "3"}, "--rho: only karras"},
             {{"--no-clip", "--threshold", "0.9"}, "--threshold: thresholding"},
             {{"--threshold-max", "2"}, "--threshold-max: nothing"},
             {{"--timesteps", "50,3"}, "--timesteps: 50 is beyond"},
             {{"--timesteps", "20,3"}, "--timesteps: the list of 2"},
             {{"--timesteps", "49,3", "--steps", "2"}, "--timesteps: the list says"},
             {{"--label", "3"}, "--label"}}) {
        std::vector<std::string> all{"--out", "refused"};
        all.insert(all.end(), arguments.begin(), arguments.end());
        const ProcessResult result = sample(all);
        EXPECT_EQ(result.code, 2) << result.err;
        EXPECT_NE(result.err.find(word), std::string::npos) << result.err;
        EXPECT_FALSE(trained().exists("refused"));
    }
}

TEST(Sample, GreyAndAlphaAndLabels) {
    const Tiny tiny(R"({"dataset": {"channels": 1, "image_size": [8, 12]},
                        "model": {"num_class_embeds": 10, "attention_resolutions": [6]}, "train": {"steps": 1}})");
    ASSERT_EQ(tiny.train().code, 0);
    ASSERT_EQ(tiny.run({"sample", "--ckpt", "runs/tiny", "--n", "2", "--out", "grey"}).code, 0);
    EXPECT_EQ(probe_image(tiny.folder / "grey/000000.png").channels, 1);
    EXPECT_EQ(probe_image(tiny.folder / "grey/000000.png").width, 12);
    EXPECT_EQ(text_of(tiny.folder / "grey/000001.png", "label"), "1") << "classes in turn";
    ASSERT_EQ(tiny.run({"sample", "--ckpt", "runs/tiny", "--n", "2", "--out", "nine", "--label", "9"}).code, 0);
    EXPECT_EQ(text_of(tiny.folder / "nine/000000.png", "label"), "9");
    EXPECT_EQ(tiny.run({"sample", "--ckpt", "runs/tiny", "--n", "2", "--out", "ten", "--label", "10"}).code, 2);
    ASSERT_EQ(tiny.run({"sample", "--ckpt", "runs/tiny", "--n", "3", "--out", "arrays", "--format", "npz"}).code, 0);
    const std::string npz = tiny.bytes("arrays/samples.npz");
    const size_t labels = npz.find("'<i8', 'fortran_order': False, 'shape': (3,)");
    ASSERT_NE(labels, std::string::npos) << "arr_1 is there where the model has labels";
    const int64_t expected[] = {0, 1, 2};
    EXPECT_EQ(npz.substr(npz.find('\n', labels) + 1, sizeof expected),
              std::string(reinterpret_cast<const char*>(expected), sizeof expected));
    EXPECT_EQ(tiny.run({"sample", "--ckpt", "runs/tiny", "--n", "1", "--out", "star", "--label", "star"}).code, 0);

    const Tiny alpha(R"({"dataset": {"channels": 4}, "train": {"steps": 1}})");
    ASSERT_EQ(alpha.train().code, 0);
    ASSERT_EQ(alpha.run({"sample", "--ckpt", "runs/tiny", "--n", "1", "--out", "rgba"}).code, 0);
    EXPECT_EQ(probe_image(alpha.folder / "rgba/000000.png").channels, 4);
}

at::Tensor tensor_of(const fs::path& file, const std::string& name) {
    for (const auto& [key, tensor] : read_safetensors(file))
        if (key == name) return tensor;
    return {};
}

// Given the noise that the seed would have drawn, the pictures are the seed's; and they follow the file, not the seed.
TEST(Sample, NoiseFromAFileTakesThePlaceOfTheSeed) {
    const std::vector<int64_t> shape{3, 8, 8};
    const auto write_noise = [&](const char* file, int64_t steps, int64_t count) {
        NamedTensors tensors{{"x_T", start_noise(5, 0, count, shape)}};
        std::vector<at::Tensor> noise;
        for (int64_t i = 0; i < steps; ++i) noise.push_back(step_noise(5, 0, count, shape)(i));
        if (steps > 0) tensors.emplace_back("noise", at::stack(noise));
        write_safetensors(trained().folder / file, tensors);
    };
    write_noise("given.safetensors", 7, 4);
    const std::vector<std::string> ancestral{"--sampler", "ancestral", "--steps", "7", "--format", "safetensors"};
    const auto draw = [&](const std::string& out, std::vector<std::string> more) {
        more.insert(more.end(), ancestral.begin(), ancestral.end());
        more.insert(more.end(), {"--out", out});
        const ProcessResult result = sample(more);
        EXPECT_EQ(result.code, 0) << result.err;
        EXPECT_EQ(list_files(trained().folder / out, true).size(), 1u);
        return tensor_of(trained().folder / out / "samples.safetensors", "images");
    };
    const at::Tensor seeded = draw("n1", {"--n", "4", "--seed", "5"});
    const at::Tensor given = draw("n2", {"--noise", "given.safetensors", "--batch", "3"});
    EXPECT_EQ(given.sizes(), at::IntArrayRef({4, 3, 8, 8})) << "as many as the file holds";
    EXPECT_LT((seeded - given).abs().max().item<double>(), 1e-4);
    EXPECT_GT((seeded - draw("n3", {"--n", "4", "--seed", "6"})).abs().max().item<double>(), 0.1);
    EXPECT_EQ(draw("n4", {"--noise", "given.safetensors", "--n", "2"}).size(0), 2);

    write_noise("start.safetensors", 0, 2);
    EXPECT_EQ(draw("n5", {"--noise", "start.safetensors"}).size(0), 2) << "x_T alone; the steps' noise from the seed";
    const ProcessResult start = sample({"--noise", "start.safetensors", "--sampler", "ancestral", "--steps", "7", "--out", "n6"});
    EXPECT_NE(start.err.find("x_T from start.safetensors, the steps' noise from seed 0"), std::string::npos) << start.err;
    EXPECT_EQ(text_of(trained().folder / "n6/000000.png", "noise"), "start.safetensors");
    EXPECT_EQ(text_of(trained().folder / "n6/000000.png", "noise_crc32").size(), 8u);
    const ProcessResult silent = sample({"--noise", "start.safetensors", "--seed", "3", "--out", "n7"});
    EXPECT_NE(silent.err.find("x_T from start.safetensors, nothing from seed 3, on"), std::string::npos) << silent.err;
    const ProcessResult unused = sample({"--noise", "given.safetensors", "--sampler", "ddim", "--steps", "7", "--out", "n8"});
    EXPECT_NE(unused.err.find("x_T from given.safetensors, whose noise of steps is left out as ddim adds none, on"),
              std::string::npos)
        << unused.err;
    write_noise("short.safetensors", 3, 2);
    for (const auto& [arguments, words] : std::vector<std::pair<std::vector<std::string>, std::string>>{
             {{"--noise", "short.safetensors", "--steps", "7"}, "noise is F32 [3, 2, 3, 8, 8], expected F32 [7, 2, 3, 8, 8]"},
             {{"--noise", "given.safetensors", "--steps", "7", "--n", "9"}, "holds noise for 4 pictures"},
             {{"--noise", "tiny.json"}, "tiny.json"},
             {{"--format", "jpeg"}, "png, safetensors, npz"},
             {{"--variance", "learned_range", "--sampler", "ancestral"}, "predicts a variance"}}) {
        std::vector<std::string> all{"--out", "refused"};
        all.insert(all.end(), arguments.begin(), arguments.end());
        const ProcessResult result = sample(all);
        EXPECT_EQ(result.code, 2) << result.err;
        EXPECT_NE(result.err.find(words), std::string::npos) << result.err;
        EXPECT_FALSE(trained().exists("refused"));
    }
}

// The three formats hold the same pictures.
TEST(Sample, FormatsAgree) {
    ASSERT_EQ(sample({"--n", "3", "--out", "f1"}).code, 0);
    ASSERT_EQ(sample({"--n", "3", "--out", "f2", "--format", "safetensors"}).code, 0);
    ASSERT_EQ(sample({"--n", "3", "--out", "f3", "--format", "npz"}).code, 0);
    const at::Tensor images = tensor_of(trained().folder / "f2/samples.safetensors", "images");
    const std::string npz = trained().bytes("f3/samples.npz");
    // The pixels come after two headers that fill 64 bytes each, or two times that.
    const size_t head = npz.find("'shape': (3, 8, 8, 3)");
    ASSERT_NE(head, std::string::npos);
    const size_t pixels = npz.find('\n', head) + 1;
    for (int i = 0; i < 3; ++i) {
        const Image picture = read_image(trained().folder / fmt::format("f1/{:06d}.png", i));
        EXPECT_EQ(std::string(picture.pixels.begin(), picture.pixels.end()), npz.substr(pixels + i * 192, 192));
        const at::Tensor rounded = (images[i] / 2 + 0.5).clamp(0, 1).mul(255).round().to(at::kByte).permute({1, 2, 0}).contiguous();
        EXPECT_TRUE(std::equal(picture.pixels.begin(), picture.pixels.end(), rounded.const_data_ptr<uint8_t>()));
    }
}

TEST(Sample, AStopLeavesNothing) {
    Process process({DDPM_PROGRAM, "sample", "--ckpt", "runs/tiny", "--n", "100000", "--out", "stopped"}, trained().folder.path());
    ASSERT_TRUE(process.wait_for_error("seed 0"));
    ::usleep(200'000);
    process.signal(SIGINT);
    const ProcessResult result = process.wait();
    EXPECT_EQ(result.code, 130) << result.err;
    EXPECT_FALSE(trained().exists("stopped"));
    EXPECT_FALSE(trained().exists(".stopped.partial"));
}

}  // namespace
}  // namespace ddpm
