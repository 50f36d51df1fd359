// `ddpm eval sweep` and `ddpm eval quality --every-checkpoint`.

#include <algorithm>
#include <csignal>

#include <gtest/gtest.h>

#include "bad_input/bad_input.h"
#include "cli/tiny.h"
#include "ddpm/checkpoint/safetensors.h"
#include "ddpm/core/text.h"
#include "ddpm/image/codec.h"

namespace ddpm {
namespace {

// One trained run for all tests of this file: checkpoints of the steps 2, 4 and 6, and averages of two widths.
const Tiny& trained() {
    static const Tiny tiny(R"({"train": {"ema_widths": [0.05, 0.1]}})");
    static const ProcessResult result = tiny.train();
    EXPECT_EQ(result.code, 0) << result.err;
    return tiny;
}

ProcessResult evaluate(const std::string& evaluation, std::vector<std::string> more, const std::string& checkpoint = "runs/tiny") {
    more.insert(more.begin(), {"eval", evaluation, "--ckpt", checkpoint, "--n", "20", "--real", "60"});
    return trained().run(more);
}

Json json_of(const std::string& file) { return read_json_file(trained().folder / file); }

// The same numbers as `ddpm eval quality` has of one set of samples alone.
void expect_numbers_alone(const Json& entry, std::vector<std::string> flags, const std::string& checkpoint = "runs/tiny") {
    flags.insert(flags.end(), {"--json", "alone.json"});
    const ProcessResult result = evaluate("quality", flags, checkpoint);
    ASSERT_EQ(result.code, 0) << result.err;
    const Json alone = json_of("alone.json");
    EXPECT_EQ(entry.at("nfe"), alone.at("samples").at("nfe"));
    EXPECT_EQ(entry.at("steps"), alone.at("samples").at("steps"));
    ASSERT_EQ(entry.at("results").size(), alone.at("results").size());
    for (size_t i = 0; i < alone.at("results").size(); ++i)
        for (const char* name : {"value", "sd", "floor", "floor_sd"}) {
            const double number = alone.at("results")[i].at(name);
            EXPECT_NEAR(entry.at("results")[i].at(name).get<double>(), number, 1e-9 * std::abs(number) + 1e-15) << name;
        }
}

// What a result says of itself agrees.
void expect_ranked(const Json& json) {
    const Json& entries = json.at("entries");
    const auto value = [&](size_t i) { return entries[i].at("results")[0].at("value").get<double>(); };
    const size_t best = json.at("best"), cheapest = json.at("cheapest");
    for (size_t i = 0; i < entries.size(); ++i) {
        const Json& difference = entries[i].at("difference");
        EXPECT_GE(value(i), value(best));
        EXPECT_NEAR(difference.at("value").get<double>(), value(i) - value(best), 1e-12);
        const bool within = std::abs(difference.at("value").get<double>()) <= 2 * difference.at("sd").get<double>();
        EXPECT_EQ(difference.at("as_good").get<bool>(), within);
        if (within) {
            EXPECT_GE(entries[i].at("nfe"), entries[cheapest].at("nfe"));
        }
    }
    EXPECT_TRUE(entries[cheapest].at("difference").at("as_good").get<bool>());
}

TEST(EvalSweep, EachCellHasTheNumbersOfEvalQualityAlone) {
    const ProcessResult result = evaluate(
        "sweep", {"--samplers", "ddim,heun:3,unipc:order=1:2,4", "--steps", "5", "--out", "swept", "--metrics", "mmd,fd,pr"});
    ASSERT_EQ(result.code, 0) << result.err;
    const Json json = json_of("swept/sweep.json"), &entries = json.at("entries");
    EXPECT_EQ(json.at("format"), "ddpm eval sweep");
    EXPECT_EQ(json.at("protocol").at("n_real"), 60);
    ASSERT_EQ(entries.size(), 4u);
    EXPECT_EQ(entries[0].at("row"), "ddim");
    EXPECT_EQ(entries[2].at("row"), "unipc:order=1");
    EXPECT_EQ(entries[1].at("nfe"), 5) << "heun in 3 steps";
    const std::vector<std::string> metrics{"--metrics", "mmd,fd,pr"};
    const auto alone = [&](size_t i, std::vector<std::string> flags) {
        flags.insert(flags.end(), metrics.begin(), metrics.end());
        expect_numbers_alone(entries[i], flags);
    };
    alone(0, {"--sampler", "ddim", "--steps", "5"});
    alone(1, {"--sampler", "heun", "--steps", "3"});
    alone(2, {"--sampler", "unipc", "--order", "1", "--steps", "2"});
    alone(3, {"--sampler", "unipc", "--order", "1", "--steps", "4"});
    expect_ranked(json);

    EXPECT_EQ(list_files(trained().folder / "swept", true).size(), 5u);
    const std::vector<std::string> lines = split(trained().bytes("swept/sweep.csv"), '\n');
    ASSERT_EQ(lines.size(), 6u) << "names, four cells, and the end of the last line";
    for (size_t i = 0; i < 5; ++i) EXPECT_EQ(split(lines[i], ',').size(), split(lines[0], ',').size()) << lines[i];
    EXPECT_NE(lines[0].find(",precision,precision_sd,recall,recall_sd,difference,"), std::string::npos) << lines[0];
    const std::string table = trained().bytes("swept/sweep.md");
    EXPECT_NE(table.find("| unipc:order=1 | 4 | 4 | "), std::string::npos) << table;
    for (const char* words :
         {"by mmd the best is ", "the cheapest within two deviations of the best is ", "floor", "less the best"}) {
        EXPECT_NE(result.out.find(words), std::string::npos) << words << "\n" << result.out;
        EXPECT_NE(table.find(words), std::string::npos) << words << "\n" << table;
    }
    EXPECT_NE(result.err.find("not comparable across data sets"), std::string::npos) << result.err;
    for (const char* name : {"swept/pareto.png", "swept/samples.png"}) EXPECT_TRUE(is_made_by_ddpm(trained().folder / name));
}

TEST(EvalSweep, WithoutAFolderItPrintsAndWritesNothing) {
    const std::vector<std::string> before = test::snapshot(trained().folder.path());
    const ProcessResult result = evaluate("sweep", {"--samplers", "ddim:2,3"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.out.find("ddim     3      3"), std::string::npos) << result.out;
    EXPECT_EQ(test::snapshot(trained().folder.path()), before);
}

TEST(EvalSweep, CheckpointsAndEveryCheckpointAgree) {
    const std::vector<std::string> before = test::snapshot(trained().folder / "runs");
    const ProcessResult every =
        evaluate("quality", {"--every-checkpoint", "--steps", "3", "--json", "every.json", "--plot", "every.png"});
    ASSERT_EQ(every.code, 0) << every.err;
    ASSERT_EQ(evaluate("sweep", {"--samplers", "ddim:3,heun:2", "--checkpoints", "6,2", "--out", "two"}).code, 0);
    EXPECT_EQ(test::snapshot(trained().folder / "runs"), before) << "the run stays as it was";
    const Json json = json_of("every.json"), two = json_of("two/sweep.json");
    EXPECT_EQ(json.at("format"), "ddpm eval quality");
    ASSERT_EQ(json.at("entries").size(), 3u);
    ASSERT_EQ(two.at("entries").size(), 4u);
    for (size_t i = 0; i < 3; ++i) {
        const auto step = static_cast<int64_t>(2 * i + 2);
        EXPECT_EQ(json.at("entries")[i].at("step"), step);
        expect_numbers_alone(json.at("entries")[i], {"--steps", "3"}, step_folder(step));
        EXPECT_NE(every.out.find("step " + std::to_string(step) + "  ddim"), std::string::npos) << every.out;
    }
    EXPECT_EQ(two.at("entries")[0].at("step"), 2) << "ascending";
    EXPECT_EQ(two.at("entries")[0].at("results"), json.at("entries")[0].at("results"));
    EXPECT_EQ(two.at("entries")[2].at("results"), json.at("entries")[2].at("results"));
    expect_ranked(json);
    expect_ranked(two);
    EXPECT_EQ(every.out.find("cheapest"), std::string::npos) << "all cost the same\n" << every.out;
    EXPECT_TRUE(is_made_by_ddpm(trained().folder / "every.png"));
    EXPECT_EQ(evaluate("quality", {"--every-checkpoint", "--steps", "3", "--json", "every.json"}).code, 0)
        << "a result is replaced";
}

TEST(EvalSweep, AveragesAreThoseOfEvalQuality) {
    const ProcessResult result =
        evaluate("sweep", {"--samplers", "ddim:2", "--ema-widths", "0.1,0.05", "--step", "4", "--out", "widths"});
    ASSERT_EQ(result.code, 0) << result.err;
    const Json json = json_of("widths/sweep.json");
    ASSERT_EQ(json.at("entries").size(), 2u);
    EXPECT_EQ(json.at("entries")[0].at("ema_width"), 0.1);
    EXPECT_EQ(json.at("entries")[0].at("step"), 4);
    for (const Json& entry : json.at("entries"))
        expect_numbers_alone(entry,
                             {"--sampler", "ddim", "--steps", "2", "--step", "4", "--ema-width", entry.at("ema_width").dump()});
    EXPECT_NE(result.out.find("width 0.05"), std::string::npos) << result.out;
}

TEST(EvalSweep, ADamagedCheckpointIsLeftOutOfAllAndSaid) {
    const Trained own;
    write_file(own.folder / step_folder(4) / "unet/diffusion_pytorch_model.safetensors", "nothing");
    const ProcessResult result = own.run(
        {"eval", "quality", "--ckpt", "runs/tiny", "--every-checkpoint", "--n", "20", "--real", "60", "--json", "left.json"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("step-000004: damaged, and left out"), std::string::npos) << result.err;
    EXPECT_EQ(read_json_file(own.folder / "left.json").at("entries").size(), 2u);
    EXPECT_EQ(own.run({"eval", "sweep", "--ckpt", "runs/tiny", "--checkpoints", "2,4", "--samplers", "ddim:2"}).code, 2)
        << "it was named";
}

TEST(EvalSweep, OverwriteReplacesASweepAndNothingElse) {
    const std::vector<std::string> small{"--samplers", "ddim:2", "--out", "o"};
    ASSERT_EQ(evaluate("sweep", small).code, 0);
    const ProcessResult refused = evaluate("sweep", small);
    EXPECT_EQ(refused.code, 2);
    EXPECT_NE(refused.err.find("holds a sweep already"), std::string::npos) << refused.err;
    std::vector<std::string> again = small;
    again.insert(again.end(), {"--overwrite", "--seed", "9"});
    ASSERT_EQ(evaluate("sweep", again).code, 0);
    EXPECT_EQ(json_of("o/sweep.json").at("seed"), 9);
    write_file(trained().folder / "o/thesis.txt", "years of work");
    EXPECT_EQ(evaluate("sweep", again).code, 2);
    EXPECT_EQ(trained().bytes("o/thesis.txt"), "years of work");
}

TEST(EvalSweep, AStopLeavesNothing) {
    Process slow(
        {DDPM_PROGRAM, "eval", "sweep", "--ckpt", "runs/tiny", "--n", "5000", "--real", "60", "--steps", "50", "--out", "slow"},
        trained().folder.path());
    ASSERT_TRUE(slow.wait_for_error("features scatter"));
    while (slow.alive() && !trained().exists(".slow.partial")) ::usleep(1000);
    slow.signal(SIGINT);
    const ProcessResult result = slow.wait();
    EXPECT_EQ(result.code, 130) << result.err;
    EXPECT_FALSE(trained().exists("slow"));
    EXPECT_FALSE(trained().exists(".slow.partial"));
}

// Weights that are finite, and so large that no answer of the network is.
TEST(EvalSweep, PicturesThatAreNotFiniteAreSaid) {
    ASSERT_EQ(trained().run({"convert", "runs/tiny", "huge"}).code, 0);
    const fs::path file = trained().folder / "huge/unet/diffusion_pytorch_model.safetensors";
    NamedTensors tensors = read_safetensors(file);
    for (auto& [name, tensor] : tensors) tensor.fill_(1e30);
    write_safetensors(file, tensors);
    const ProcessResult result = evaluate("sweep", {"--samplers", "ddim:2,3", "--data", "tiny.json", "--out", "nan"}, "huge");
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("ddim in 3 steps: its pictures are not finite"), std::string::npos) << result.err;
    EXPECT_NE(result.out.find("no pictures are finite"), std::string::npos) << result.out;
    const Json json = json_of("nan/sweep.json");
    EXPECT_TRUE(json.at("best").is_null());
    EXPECT_EQ(json.at("entries")[1].at("finite"), false);
    EXPECT_TRUE(json.at("entries")[1].at("difference").is_null());
    EXPECT_NE(trained().bytes("nan/sweep.csv").find(",nan,nan,0,0\n"), std::string::npos);
}

}  // namespace
}  // namespace ddpm
