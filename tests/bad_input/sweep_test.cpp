#include "bad_input/bad_input.h"
#include "bad_input/parts.h"

namespace ddpm {
namespace {

using test::BadInput;
using test::file;
using test::sound;

// `ddpm eval sweep` of a checkpoint that is not looked at.
BadInput early(const std::string& name, std::vector<std::string> flags, std::vector<std::string> words,
               std::function<void(const fs::path&)> make = {}) {
    flags.insert(flags.begin(), {"eval", "sweep", "--ckpt", "p"});
    return {name, std::move(flags), std::move(words), std::move(make)};
}

// The same of a model with 10 timesteps and pictures of 8×8, which does not say its data.
BadInput of_model(const std::string& name, const std::vector<std::string>& flags, const std::vector<std::string>& words) {
    return early(name, flags, words, [](const fs::path& folder) { sound().write(folder / "p"); });
}

TEST(BadInput, CellsOfASweep) {
    test::expect_refusals({
        {"no checkpoint", {"eval", "sweep"}, {"eval sweep: which checkpoint", "ddpm eval sweep --ckpt"}},
        early("an unknown sampler", {"--samplers", "ddim,unipcc:5"}, {"--samplers: unknown sampler \"unipcc\"", "\"unipc\""}),
        early("a sampler twice", {"--samplers", "ddim:5,ddim:10"}, {"--samplers: \"ddim\" is there twice"}),
        early("an empty entry", {"--samplers", "ddim,"}, {"--samplers: an entry is empty"}),
        early("steps of no sampler", {"--samplers", "10,ddim"}, {"--samplers: \"10\" belongs to no sampler"}),
        early("no steps in an entry", {"--samplers", "ddim:0"}, {"--samplers: ddim: steps: got 0"}),
        early("a fraction of a step in an entry", {"--samplers", "ddim:10,2.5"}, {"--samplers: ddim: steps: got 2.5"}),
        early("steps that are no number", {"--samplers", "ddim:10,2x"}, {"--samplers: ddim: steps", "\"2x\""}),
        early("steps twice in an entry", {"--samplers", "ddim:5,10,5"}, {"--samplers: ddim: steps: 5 is there twice"}),
        early("steps that no entry takes", {"--samplers", "ddim:5,heun:3", "--steps", "10"},
              {"--steps: every entry", "leave it out"}),
        early("steps twice", {"--steps", "5,5"}, {"--steps: 5 is there twice"}),
        early("a key of another sampler", {"--samplers", "heun:eta=0.5:3"},
              {"--samplers: heun:eta=0.5: eta: the heun sampler has none"}),
        early("a key without a value", {"--samplers", "ddim:eta:3"}, {"got \"eta\", expected key=value"}),
        of_model("steps of an entry beyond the schedule", {"--samplers", "ddim:5,11"}, {"--samplers: ddim: 11 steps", "1 … 10"}),
        of_model("steps of the flag beyond the schedule", {"--samplers", "ddim", "--steps", "5,11"},
                 {"--steps: 11 steps", "1 … 10"}),
        of_model("two names of one row", {"--samplers", "ddim,euler", "--steps", "5"}, {"\"ddim\" and \"euler\" come to the same"}),
        of_model("a flag that no row reads", {"--samplers", "ddim:5", "--order", "3"}, {"--order: no row of --samplers reads it"}),
        of_model("a model that does not say its data", {"--samplers", "ddim:5"}, {"doesn't say which data", "--data"}),
    });
}

TEST(BadInput, NetworksOfASweep) {
    const auto run = file("p/checkpoints/notes.txt", "no checkpoint here");
    test::expect_refusals({
        early("checkpoints and widths", {"--checkpoints", "all", "--ema-widths", "0.1"},
              {"--checkpoints and --ema-widths contradict"}),
        early("a width beside widths", {"--ema-width", "0.1", "--ema-widths", "0.05"}, {"--ema-width: names one average"}),
        early("raw averages", {"--weights", "raw", "--ema-widths", "0.05"}, {"--ema-widths and --weights raw"}),
        early("a step of nothing", {"--step", "5"}, {"--step: belongs to --ema-width"}),
        early("a width beyond the range", {"--ema-widths", "0.05,0.5"}, {"--ema-widths"}, run),
        early("a width in words", {"--ema-widths", "wide"}, {"--ema-widths: got \"wide\""}),
        early("a width twice", {"--ema-widths", "0.1,0.1"}, {"--ema-widths: 0.1 is there twice"}),
        of_model("widths of no run", {"--ema-widths", "0.1"}, {"p: is no run folder"}),
        of_model("checkpoints of no run", {"--checkpoints", "all"}, {"--checkpoints: p: is no run folder"}),
        early("checkpoints of an empty run", {"--checkpoints", "all"}, {"no complete checkpoint yet"}, run),
        {"every checkpoint of no run",
         {"eval", "quality", "--ckpt", "p", "--every-checkpoint"},
         {"--every-checkpoint: p: is no run folder"},
         [](const fs::path& folder) { sound().write(folder / "p"); }},
        {"every checkpoint of a folder of samples",
         {"eval", "quality", "--samples", ".", "--data", ".", "--every-checkpoint"},
         {"--every-checkpoint", "leave --samples out"}},
        {"every checkpoint and a width",
         {"eval", "quality", "--ckpt", "p", "--every-checkpoint", "--ema-width", "0.1"},
         {"--every-checkpoint and --ema-width contradict"}},
        {"a plot of one checkpoint", {"eval", "quality", "--ckpt", "p", "--plot", "q.png"}, {"--plot", "--every-checkpoint"}},
        {"a plot of another kind",
         {"eval", "quality", "--ckpt", "p", "--every-checkpoint", "--plot", "q.csv"},
         {"--plot: q.csv", ".png"}},
    });
}

TEST(BadInput, FlagsOfASweep) {
    test::expect_refusals({
        early("an unknown metric", {"--metrics", "fid"}, {"--metrics: unknown metric \"fid\""}),
        early("a metric that is no distance first", {"--metrics", "pr,mmd"}, {"--metrics: pr comes first", "mmd or fd"}),
        early("unknown features", {"--features", "scater"}, {"--features", "scatter"}),
        early("too few samples", {"--n", "19"}, {"--n", "19", "20"}),
        early("data that are not there", {"--data", "none"}, {"none"}),
        early("an overwrite of nothing", {"--overwrite"}, {"--overwrite", "--out"}),
        early("a folder with something else", {"--out", "o"}, {"holds \"thesis.txt\", which `ddpm eval sweep` has not written"},
              file("o/thesis.txt", "years")),
        early("the folder of a comparison", {"--out", "o", "--overwrite"}, {"not even by --overwrite"},
              file("o/compare.json", "{\"format\": \"ddpm compare\"}")),
        early("a file in the folder's place", {"--out", "o"}, {"o: is a file, expected a folder for the sweep"}, file("o", "x")),
    });
}

}  // namespace
}  // namespace ddpm
