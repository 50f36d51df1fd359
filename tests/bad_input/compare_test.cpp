#include "bad_input/bad_input.h"
#include "bad_input/parts.h"

namespace ddpm {
namespace {

using test::file;
using test::sound;

const test::OfCheckpoint kCompare{{"compare"}};

TEST(BadInput, RowsAndColumnsOfAComparison) {
    test::expect_refusals({
        {"no checkpoint", {"compare"}, {"compare: which checkpoint", "ddpm compare --ckpt"}},
        kCompare.early("an unknown sampler", {"--samplers", "ddim,unipcc"},
                       {"--samplers: unknown sampler \"unipcc\"", "\"unipc\""}),
        kCompare.early("a sampler twice", {"--samplers", "ddim,unipc,ddim"}, {"--samplers: \"ddim\" is there twice"}),
        kCompare.early("an empty entry", {"--samplers", "ddim,"}, {"--samplers: an entry is empty"}),
        kCompare.early("an unknown key", {"--samplers", "ddim:etta=1"}, {"--samplers: ddim:etta=1", "\"etta\"", "\"eta\""}),
        kCompare.early("a key twice", {"--samplers", "ddim:eta=1:eta=0"}, {"eta: given twice"}),
        kCompare.early("a key without a value", {"--samplers", "ddim:eta"}, {"got \"eta\", expected key=value"}),
        kCompare.early("a key of another sampler", {"--samplers", "heun:eta=0.5"},
                       {"--samplers: heun:eta=0.5: eta: the heun sampler has none"}),
        kCompare.early("a key beyond its range", {"--samplers", "ddim:eta=2"}, {"--samplers: ddim:eta=2: eta: got 2"}),
        kCompare.early("an interval of one number", {"--samplers", "ddim:guidance_interval=0.3,5"},
                       {"--samplers: ddim:guidance_interval=0.3: guidance_interval: got \"0.3\", expected LO..HI, as 0.3..5"}),
        kCompare.early("an interval that falls", {"--samplers", "ddim:guidance_interval=5..0.3"},
                       {"--samplers: ddim:guidance_interval=5..0.3: guidance_interval: no noise level lies above 5"}),
        kCompare.early("an interval in words", {"--samplers", "ddim:guidance_interval=low..high"},
                       {"guidance_interval", "\"low\""}),
        kCompare.early("steps in an entry", {"--samplers", "ddim:steps=3"}, {"the columns say which steps"}),
        kCompare.early("an unknown spacing in an entry", {"--samplers", "ddim:timestep_spacing=karas"}, {"\"karas\"", "karras"}),
        kCompare.early("no steps", {"--steps", "0"}, {"--steps: got 0"}),
        kCompare.early("steps below none", {"--steps", "5,-3"}, {"--steps: got -3"}),
        kCompare.early("steps that are no number", {"--steps", "5,many"}, {"--steps", "\"many\""}),
        kCompare.early("steps that are empty", {"--steps", "5,,10"}, {"--steps", "\"\""}),
        kCompare.early("a fraction of a step", {"--steps", "2.5"}, {"--steps: got 2.5"}),
        kCompare.early("steps twice", {"--steps", "5,10,5"}, {"--steps: 5 is there twice"}),
        kCompare.of_model("steps beyond the schedule", {"--steps", "5,11"}, {"--steps: 11 steps", "1 … 10"}),
        kCompare.of_model("an average that no run keeps", {"--samplers", "ddim", "--steps", "5", "--ema-width", "0.1"},
                          {"p: is no run folder"}),
        kCompare.of_model("a reference beyond the schedule", {"--steps", "5", "--reference-steps", "11"},
                          {"--reference-steps: 11 steps", "1 … 10"}),
        kCompare.of_model("two names of one row", {"--samplers", "ddim,euler", "--steps", "5"},
                          {"--samplers: \"ddim\" and \"euler\" come to the same"}),
        kCompare.of_model(
            "a row that begins in the middle", {"--samplers", "unipc,ddim:timestep_spacing=leading", "--steps", "6"},
            {"--samplers: ddim:timestep_spacing=leading: timestep_spacing: leading spacing of 6 steps begins at t = 5"}),
    });
}

TEST(BadInput, FlagsOfAComparison) {
    test::expect_refusals({
        kCompare.early("an unknown spacing", {"--spacing", "karas"}, {"--spacing", "\"karas\"", "karras"}),
        kCompare.early("no pictures", {"--n", "0"}, {"--n", "\"0\""}),
        kCompare.early("pictures that are no number", {"--n", "many"}, {"--n", "\"many\""}),
        kCompare.early("one step of reference", {"--reference-steps", "1"}, {"--reference-steps", "2"}),
        kCompare.early("a sampler of its own", {"--sampler", "ddim"}, {"--sampler", "--samplers"}),
        kCompare.early("data that are not there", {"--data", "none"}, {"none"}),
        kCompare.early("a part of no data", {"--split", "test"}, {"--split", "--data"}),
        kCompare.early("a folder with something else", {"--out", "o"},
                       {"holds \"thesis.txt\", which `ddpm compare` has not written"}, file("o/thesis.txt", "years")),
        kCompare.early("a folder with something else to overwrite", {"--out", "o", "--overwrite"}, {"not even by --overwrite"},
                       file("o/compare.csv", "mine")),
        kCompare.early("a file in the folder's place", {"--out", "o"}, {"o: is a file, expected a folder"}, file("o", "x")),
        kCompare.of_model("a flag that no row reads", {"--samplers", "ddim,heun", "--steps", "5", "--order", "3"},
                          {"--order: no row of --samplers reads it"}),
        kCompare.of_model("a flag that all rows decide", {"--samplers", "ddim:eta=0,euler_a", "--steps", "5", "--eta", "0.5"},
                          {"--eta: no row of --samplers reads it"}),
        kCompare.of_model("rho without karras", {"--samplers", "ddim,unipc", "--steps", "5", "--rho", "5"}, {"--rho: no row"}),
        kCompare.of_model("a companion of churn alone", {"--samplers", "heun", "--steps", "5", "--churn-min", "0.1"},
                          {"--churn-min: no row"}),
        kCompare.of_model("thresholding beside no clipping", {"--steps", "5", "--no-clip", "--threshold", "0.9"}, {"--threshold"}),
        kCompare.of_model("pictures of another size", {"--steps", "5", "--data", "c.json"}, {"--data: pictures of 16x16", "8x8"},
                          file("c.json", R"({"dataset": {"image_size": 16, "length": 8}})")),
        kCompare.of_model("a part of data that have none", {"--steps", "5", "--data", "c.json", "--split", "test"},
                          {"error: --split: got \"test\", but shapes has no parts"},
                          file("c.json", R"({"dataset": {"image_size": 8, "length": 8}})")),
        kCompare.of_model("guidance without labels", {"--steps", "5", "--guidance", "2"},
                          {"error: --guidance: p: its network has no labels", "--guide-ckpt of sample and compare"}),
        kCompare.of_model("a guide without a scale", {"--steps", "5", "--guide-ckpt", "p"},
                          {"error: --guide-ckpt: no row of --samplers is guided", "--guidance 2"}),
        kCompare.of_model("a guide that is not there", {"--steps", "5", "--guidance", "2", "--guide-ckpt", "none"},
                          {"none: not found"}),
        kCompare.of_model("a folder without pictures", {"--steps", "5", "--data", "d"}, {"no readable picture"},
                          file("d/x.txt", "x")),
    });
}

}  // namespace
}  // namespace ddpm
