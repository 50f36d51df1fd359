#include "bad_input/bad_input.h"
#include "bad_input/parts.h"

namespace ddpm {
namespace {

using test::BadInput;
using test::file;
using test::sound;

// `ddpm compare` of a checkpoint that is not looked at.
BadInput early(const std::string& name, std::vector<std::string> flags, std::vector<std::string> words,
               std::function<void(const fs::path&)> make = {}) {
    flags.insert(flags.begin(), {"compare", "--ckpt", "p"});
    return {name, std::move(flags), std::move(words), std::move(make)};
}

// The same of a model with 10 timesteps and pictures of 8×8.
BadInput of_model(const std::string& name, const std::vector<std::string>& flags, const std::vector<std::string>& words,
                  const std::function<void(const fs::path&)>& more = {}) {
    return early(name, flags, words, [more](const fs::path& folder) {
        sound().write(folder / "p");
        if (more) more(folder);
    });
}

TEST(BadInput, RowsAndColumnsOfAComparison) {
    test::expect_refusals({
        {"no checkpoint", {"compare"}, {"compare: which checkpoint", "ddpm compare --ckpt"}},
        early("an unknown sampler", {"--samplers", "ddim,unipcc"}, {"--samplers: unknown sampler \"unipcc\"", "\"unipc\""}),
        early("a sampler twice", {"--samplers", "ddim,unipc,ddim"}, {"--samplers: \"ddim\" is there twice"}),
        early("an empty entry", {"--samplers", "ddim,"}, {"--samplers: an entry is empty"}),
        early("an unknown key", {"--samplers", "ddim:etta=1"}, {"--samplers: ddim:etta=1", "\"etta\"", "\"eta\""}),
        early("a key twice", {"--samplers", "ddim:eta=1:eta=0"}, {"eta: given twice"}),
        early("a key without a value", {"--samplers", "ddim:eta"}, {"got \"eta\", expected key=value"}),
        early("a key of another sampler", {"--samplers", "heun:eta=0.5"},
              {"--samplers: heun:eta=0.5: eta: the heun sampler has none"}),
        early("a key beyond its range", {"--samplers", "ddim:eta=2"}, {"--samplers: ddim:eta=2: eta: got 2"}),
        early("an interval of one number", {"--samplers", "ddim:guidance_interval=0.3,5"},
              {"--samplers: ddim:guidance_interval=0.3: guidance_interval: got \"0.3\", expected LO..HI, as 0.3..5"}),
        early("an interval that falls", {"--samplers", "ddim:guidance_interval=5..0.3"},
              {"--samplers: ddim:guidance_interval=5..0.3: guidance_interval: no noise level lies above 5"}),
        early("an interval in words", {"--samplers", "ddim:guidance_interval=low..high"}, {"guidance_interval", "\"low\""}),
        early("steps in an entry", {"--samplers", "ddim:steps=3"}, {"the columns say which steps"}),
        early("an unknown spacing in an entry", {"--samplers", "ddim:timestep_spacing=karas"}, {"\"karas\"", "karras"}),
        early("no steps", {"--steps", "0"}, {"--steps: got 0"}),
        early("steps below none", {"--steps", "5,-3"}, {"--steps: got -3"}),
        early("steps that are no number", {"--steps", "5,many"}, {"--steps", "\"many\""}),
        early("steps that are empty", {"--steps", "5,,10"}, {"--steps", "\"\""}),
        early("a fraction of a step", {"--steps", "2.5"}, {"--steps: got 2.5"}),
        early("steps twice", {"--steps", "5,10,5"}, {"--steps: 5 is there twice"}),
        of_model("steps beyond the schedule", {"--steps", "5,11"}, {"--steps: 11 steps", "1 … 10"}),
        of_model("an average that no run keeps", {"--samplers", "ddim", "--steps", "5", "--ema-width", "0.1"},
                 {"p: is no run folder"}),
        of_model("a reference beyond the schedule", {"--steps", "5", "--reference-steps", "11"},
                 {"--reference-steps: 11 steps", "1 … 10"}),
        of_model("two names of one row", {"--samplers", "ddim,euler", "--steps", "5"},
                 {"--samplers: \"ddim\" and \"euler\" come to the same"}),
        of_model("a row that begins in the middle", {"--samplers", "unipc,ddim:timestep_spacing=leading", "--steps", "6"},
                 {"--samplers: ddim:timestep_spacing=leading: timestep_spacing: leading spacing of 6 steps begins at t = 5"}),
    });
}

TEST(BadInput, FlagsOfAComparison) {
    test::expect_refusals({
        early("an unknown spacing", {"--spacing", "karas"}, {"--spacing", "\"karas\"", "karras"}),
        early("no pictures", {"--n", "0"}, {"--n", "\"0\""}),
        early("pictures that are no number", {"--n", "many"}, {"--n", "\"many\""}),
        early("one step of reference", {"--reference-steps", "1"}, {"--reference-steps", "2"}),
        early("a sampler of its own", {"--sampler", "ddim"}, {"--sampler", "--samplers"}),
        early("data that are not there", {"--data", "none"}, {"none"}),
        early("a part of no data", {"--split", "test"}, {"--split", "--data"}),
        early("a folder with something else", {"--out", "o"}, {"holds \"thesis.txt\", which `ddpm compare` has not written"},
              file("o/thesis.txt", "years")),
        early("a folder with something else to overwrite", {"--out", "o", "--overwrite"}, {"not even by --overwrite"},
              file("o/compare.csv", "mine")),
        early("a file in the folder's place", {"--out", "o"}, {"o: is a file, expected a folder"}, file("o", "x")),
        of_model("a flag that no row reads", {"--samplers", "ddim,heun", "--steps", "5", "--order", "3"},
                 {"--order: no row of --samplers reads it"}),
        of_model("a flag that all rows decide", {"--samplers", "ddim:eta=0,euler_a", "--steps", "5", "--eta", "0.5"},
                 {"--eta: no row of --samplers reads it"}),
        of_model("rho without karras", {"--samplers", "ddim,unipc", "--steps", "5", "--rho", "5"}, {"--rho: no row"}),
        of_model("a companion of churn alone", {"--samplers", "heun", "--steps", "5", "--churn-min", "0.1"},
                 {"--churn-min: no row"}),
        of_model("thresholding beside no clipping", {"--steps", "5", "--no-clip", "--threshold", "0.9"}, {"--threshold"}),
        of_model("pictures of another size", {"--steps", "5", "--data", "c.json"}, {"--data: pictures of 16x16", "8x8"},
                 file("c.json", R"({"dataset": {"image_size": 16, "length": 8}})")),
        of_model("a part of data that have none", {"--steps", "5", "--data", "c.json", "--split", "test"},
                 {"error: --split: got \"test\", but shapes has no parts"},
                 file("c.json", R"({"dataset": {"image_size": 8, "length": 8}})")),
        of_model("guidance without labels", {"--steps", "5", "--guidance", "2"},
                 {"error: --guidance: p: its network has no labels", "--guide-ckpt of sample and compare"}),
        of_model("a guide without a scale", {"--steps", "5", "--guide-ckpt", "p"},
                 {"error: --guide-ckpt: no row of --samplers is guided", "--guidance 2"}),
        of_model("a guide that is not there", {"--steps", "5", "--guidance", "2", "--guide-ckpt", "none"}, {"none: not found"}),
        of_model("a folder without pictures", {"--steps", "5", "--data", "d"}, {"no readable picture"}, file("d/x.txt", "x")),
    });
}

}  // namespace
}  // namespace ddpm
