#include <algorithm>
#include <cmath>
#include <sstream>

#include <gtest/gtest.h>

#include "cli/tiny.h"
#include "ddpm/core/text.h"
#include "ddpm/image/codec.h"

namespace ddpm {
namespace {

TEST(NoisePreview, DrawsAStripForEveryRow) {
    const Tiny tiny;
    Image picture = make_image(30, 20, 4, 128);
    write_png(tiny.folder / "my photo.png", picture);
    const ProcessResult result = tiny.run({"noise-preview", "my photo.png", "--size", "64"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(result.out, "my photo-noise.png\n");
    const ImageHeader one = probe_image(tiny.folder / "my photo-noise.png");
    ASSERT_EQ(tiny.run({"noise-preview", "my photo.png", "--size", "64", "--compare", "--method", "all", "--out", "all.png"}).code,
              0);
    const ImageHeader all = probe_image(tiny.folder / "all.png");
    EXPECT_GT(all.height, 6 * one.height) << "two schedules by four methods";
    EXPECT_GE(one.width, 8 * 64) << "the picture, six t, pure noise";
    ASSERT_EQ(tiny.run({"noise-preview", "my photo.png", "--timesteps", "10,5,5", "--out", "few.png"}).code, 0);
}

TEST(Schedule, TheCsvIsExact) {
    const Tiny tiny;
    ASSERT_EQ(tiny.run({"schedule", "linear", "cosine", "--csv", "s.csv", "--plot", "s.png"}).code, 0);
    std::istringstream lines(tiny.bytes("s.csv"));
    std::string line;
    std::getline(lines, line);
    EXPECT_EQ(line, "schedule,t,beta,alphas_cumprod,sqrt_alphas_cumprod,sqrt_one_minus_alphas_cumprod,log_snr");
    int count = 0;
    double alphas_cumprod = 1;
    std::string schedule;
    while (std::getline(lines, line)) {
        ++count;
        std::istringstream row(line);
        std::string name, cell;
        std::getline(row, name, ',');
        if (name != schedule) alphas_cumprod = 1;
        schedule = name;
        std::vector<double> v;
        while (std::getline(row, cell, ',')) v.push_back(std::stod(cell));
        ASSERT_EQ(v.size(), 6u) << line;
        alphas_cumprod *= 1 - v[1];
        EXPECT_NEAR(v[2] / alphas_cumprod, 1, 1e-9) << line;
        EXPECT_NEAR(v[3] * v[3] / v[2], 1, 1e-12);
        EXPECT_NEAR(v[4] * v[4] + v[2], 1, 1e-12);
        EXPECT_NEAR(v[5], 2 * std::log(v[3] / v[4]), 1e-9);
    }
    EXPECT_EQ(count, 2000);
    EXPECT_NEAR(alphas_cumprod / 2.42877e-9, 1, 1e-5) << "the last ᾱ of cosine";
    EXPECT_EQ(probe_image(tiny.folder / "s.png").format, "PNG");
}

TEST(Schedule, LeavesOutWhatSoFewStepsDoNotBear) {
    const Tiny tiny;
    const ProcessResult few = tiny.run({"schedule", "--timesteps", "20"});
    EXPECT_EQ(few.code, 0) << few.err;
    EXPECT_NE(few.err.find("linear is left out: --timesteps: 20 steps"), std::string::npos) << few.err;
    EXPECT_NE(few.out.find("\ncosine "), std::string::npos) << few.out;
    EXPECT_EQ(few.out.find("\nlinear "), std::string::npos) << few.out;
}

TEST(Schedule, WarnsOfOneThatKeepsThePicture) {
    const Tiny tiny;
    const ProcessResult murky = tiny.run({"schedule", "scaled_linear", "cosine", "--timesteps", "100"});
    EXPECT_EQ(murky.code, 0) << murky.err;
    EXPECT_NE(murky.err.find("scaled_linear: √ᾱ = 0.70 of the picture is left at the last t, 99"), std::string::npos) << murky.err;
    EXPECT_EQ(murky.err.find("cosine:"), std::string::npos) << murky.err;
}

TEST(Completion, NamesEachFlagOnce) {
    const Tiny tiny;
    std::istringstream lines(tiny.run({"completion", "bash"}).out);
    int verbs = 0;
    for (std::string line; std::getline(lines, line);) {
        const size_t begin = line.find("words=\"--");
        if (begin == std::string::npos) continue;
        std::vector<std::string> flags = split(line.substr(begin + 7, line.find('"', begin + 7) - begin - 7), ' ');
        std::sort(flags.begin(), flags.end());
        EXPECT_EQ(std::adjacent_find(flags.begin(), flags.end()), flags.end()) << line;
        ++verbs;
    }
    EXPECT_GE(verbs, 10);
}

// bash itself says what the script offers at a word.
TEST(Completion, KnowsTheEvaluation) {
    const Tiny tiny;
    write_file(tiny.folder / "completion.sh", tiny.run({"completion", "bash"}).out);
    const auto offered = [&](const std::string& words, int word) {
        const std::string script = ". ./completion.sh; COMP_WORDS=(" + words + "); COMP_CWORD=" + std::to_string(word) +
                                   "; _ddpm; echo \"${COMPREPLY[@]}\"";
        return Process({"/bin/bash", "-c", script}, tiny.folder.path()).wait().out;
    };
    EXPECT_EQ(offered("ddpm eval b", 2), "bpd\n");
    EXPECT_EQ(offered("ddpm eval quality", 2), "quality\n");
    EXPECT_NE(offered("ddpm eval quality --me", 3).find("--metrics"), std::string::npos);
    EXPECT_EQ(offered("ddpm eval bpd --me", 3), "\n");
    EXPECT_EQ(offered("ddpm noise-p", 1), "noise-preview\n");
    EXPECT_NE(offered("ddpm train --con", 2).find("--config"), std::string::npos);
}

TEST(Data, CountsInPlainDigits) {
    const Tiny tiny;
    const ProcessResult result = tiny.run({"data", "tiny.json", "--sheet", "sheet.png"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.out.find("100 images"), std::string::npos) << result.out;
    EXPECT_TRUE(tiny.exists("sheet.png"));
    make_folders(tiny.folder / "pictures");
    for (int i = 0; i < 3; ++i)
        write_png(tiny.folder / "pictures" / (std::to_string(i) + ".png"), make_image(40, 50, 3, static_cast<uint8_t>(i)));
    const ProcessResult folder = tiny.run({"data", "pictures"});
    ASSERT_EQ(folder.code, 0) << folder.err;
    EXPECT_NE(folder.out.find("3 images"), std::string::npos) << folder.out;
}

// A sheet among the pictures would be one of them the next time.
TEST(Data, TheSheetLiesElsewhere) {
    const Tiny tiny;
    make_folders(tiny.folder / "pictures/cats");
    write_png(tiny.folder / "pictures/cats/0.png", make_image(8, 8, 3, 1));
    const std::string picture = tiny.bytes("pictures/cats/0.png");
    for (const char* sheet : {"pictures/cats/0.png", "pictures/sheet.png"}) {
        const ProcessResult result = tiny.run({"data", "pictures", "--sheet", sheet});
        EXPECT_EQ(result.code, 2);
        EXPECT_NE(result.err.find("lies among the pictures"), std::string::npos) << result.err;
    }
    EXPECT_EQ(tiny.bytes("pictures/cats/0.png"), picture);
    const ProcessResult here = run_ddpm({"data", ".", "--sheet", "new.png"}, tiny.folder / "pictures");
    EXPECT_EQ(here.code, 2) << here.err;
    EXPECT_EQ(tiny.run({"data", "pictures", "--sheet", "pictures.png"}).code, 0);
}

TEST(NoisePreview, ItsOwnNameReplacesItsOwnPictureAlone) {
    const Tiny tiny;
    write_png(tiny.folder / "cat.png", make_image(8, 8, 3, 1));
    for (int times = 0; times < 2; ++times) EXPECT_EQ(tiny.run({"noise-preview", "cat.png", "--T", "50"}).code, 0);
    write_png(tiny.folder / "cat-noise.png", make_image(8, 8, 3, 2));
    const std::string picture = tiny.bytes("cat-noise.png");
    EXPECT_EQ(tiny.run({"noise-preview", "cat.png", "--T", "50"}).code, 2);
    EXPECT_EQ(tiny.bytes("cat-noise.png"), picture);
    EXPECT_EQ(tiny.run({"noise-preview", "cat.png", "--T", "50", "--out", "cat-noise.png"}).code, 0);
}

TEST(Config, ListsKeysAndOne) {
    const Tiny tiny;
    const ProcessResult all = tiny.run({"config"});
    EXPECT_EQ(all.code, 0);
    for (const char* key :
         {"seed", "dataset.image_size", "model.block_out_channels", "diffusion.schedule", "train.learning_rate", "sample.steps"})
        EXPECT_NE(all.out.find(key), std::string::npos) << key;
    const ProcessResult one = tiny.run({"config", "train.learning_rate"});
    EXPECT_NE(one.out.find("0.0002"), std::string::npos) << one.out;
    EXPECT_EQ(one.out.find("train.steps"), std::string::npos);
}

// Which settings may differ when a run is continued. A key that changes the weights must never come into this list.
TEST(Config, SaysWhatMayChangeOnResume) {
    const Tiny tiny;
    std::istringstream lines(tiny.run({"config"}).out);
    std::vector<std::string> free;
    std::string name;
    for (std::string line; std::getline(lines, line);) {
        if (line.rfind("    ", 0) != 0)
            name = line;
        else if (line.find("; may change on --resume") != line.npos)
            free.push_back(name);
    }
    EXPECT_EQ(
        join(free),
        "dataset.path, dataset.cache_mb, dataset.workers, train.nonfinite_patience, train.max_rollbacks, train.rollback_lr_factor, "
        "train.spike_threshold, train.checkpoint_every, train.keep_last, train.keep_every, train.validate_every, "
        "train.sample_every, train.sample_images, train.sample_steps, train.log_every, train.heartbeat_seconds, train.tensorboard, sample.sampler, sample.steps, "
        "sample.timesteps, sample.variance, sample.eta, sample.order, sample.s_churn, sample.s_tmin, sample.s_tmax, sample.s_noise, "
        "sample.clip, sample.clip_range, sample.threshold_ratio, sample.threshold_max, sample.guidance_scale, "
        "sample.guidance_rescale, sample.guidance_interval, sample.timestep_spacing, "
        "sample.steps_offset, sample.rho, eval.every, eval.n, eval.features, eval.metrics, eval.reference, eval.share");
}

TEST(Info, TellsWhatARunIs) {
    const Tiny tiny;
    ASSERT_EQ(tiny.train().code, 0);
    const ProcessResult result = tiny.run({"info", "runs/tiny"});
    ASSERT_EQ(result.code, 0) << result.err;
    for (const char* word : {"step", "6", "cosine", "shapes", "ddpm sample"})
        EXPECT_NE(result.out.find(word), std::string::npos) << word << "\n" << result.out;
}

TEST(Help, EveryVerbHasAnExample) {
    const Tiny tiny;
    for (const char* verb : {"train", "sample", "compare", "eval", "noise-preview", "schedule", "data", "report", "info", "convert",
                             "config", "completion"}) {
        const ProcessResult help = tiny.run({verb, "--help"});
        EXPECT_EQ(help.code, 0);
        EXPECT_NE(help.out.find("Example: ddpm " + std::string(verb)), std::string::npos) << help.out;
    }
    EXPECT_EQ(tiny.run({"--version"}).out.rfind("ddpm ", 0), 0u);
    EXPECT_EQ(tiny.run({"completion", "bash"}).code, 0);
}

// Each configuration of configs/ trains two steps with tiny settings (and pictures made here where it wants files).
TEST(Configs, TrainTwoSteps) {
    const Tiny tiny;
    make_folders(tiny.folder / "pictures");
    for (int i = 0; i < 4; ++i)
        write_png(tiny.folder / "pictures" / (std::to_string(i) + ".png"), make_image(70, 64, 3, static_cast<uint8_t>(40 * i)));
    std::string cifar(10000 * 3073, '\0');
    make_folders(tiny.folder / "data/cifar-10-batches-bin");
    for (int i = 1; i <= 5; ++i)
        write_file(tiny.folder / "data/cifar-10-batches-bin" / ("data_batch_" + std::to_string(i) + ".bin"), cifar);
    const auto big_endian = [](std::initializer_list<uint32_t> numbers) {
        std::string bytes;
        for (uint32_t n : numbers)
            for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(n >> shift);
        return bytes;
    };
    make_folders(tiny.folder / "data/mnist");
    write_file(tiny.folder / "data/mnist/train-images-idx3-ubyte", big_endian({2051, 4, 28, 28}) + std::string(4 * 784, '\x50'));
    write_file(tiny.folder / "data/mnist/train-labels-idx1-ubyte", big_endian({2049, 4}) + std::string("\0\1\2\3", 4));

    for (const auto& config : list_files(fs::path(DDPM_SOURCE_DIR) / "configs", false)) {
        std::vector<std::string> arguments{"train", "--config", config.string()};
        std::vector<std::string> changes{"train.steps=2",       "train.batch_size=2",       "train.sample_images=1",
                                         "sample.steps=2",      "model.layers_per_block=1", "model.norm_num_groups=4",
                                         "train.warmup_steps=1"};
        const std::string name = config.stem().string();
        const Json model = read_json_file(config)["model"];
        Json channels = Json::array();
        for (size_t i = 0; i < model["block_out_channels"].size(); ++i) channels.push_back(8);
        changes.push_back("model.block_out_channels=" + channels.dump());
        if (name == "celebahq256") changes.insert(changes.end(), {"dataset.path=pictures", "train.precision=fp32"});
        for (const std::string& change : changes) arguments.insert(arguments.end(), {"--set", change});
        const ProcessResult result = tiny.run(arguments);
        EXPECT_EQ(result.code, 0) << name << ": " << result.err;
        EXPECT_TRUE(tiny.exists(step_folder(2, "runs/" + name))) << name;
    }
}

}  // namespace
}  // namespace ddpm
