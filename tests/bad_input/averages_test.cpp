#include "bad_input/bad_input.h"
#include "bad_input/parts.h"

namespace ddpm {
namespace {

using test::BadInput;

TEST(BadInput, WidthsOfAverages) {
    std::vector<BadInput> cases;
    const auto add = [&](const std::string& value, std::vector<std::string> words) {
        words.insert(words.begin(), {"x.json", "train.ema_widths"});
        cases.push_back({value, {"train", "--config", "x.json"}, std::move(words), [=](const fs::path& folder) {
                             write_file(folder / "x.json", "{\"train\": {\"ema_widths\": " + value + "}}");
                         }});
    };
    add("0.1", {"list of up to 4 numbers"});
    add("null", {"list of up to 4 numbers"});
    add("\"0.1\"", {"list of up to 4 numbers"});
    add("[0.02, 0.04, 0.06, 0.08, 0.1]", {"list of up to 4 numbers"});
    add("[0.05, \"0.1\"]", {"train.ema_widths[1]", "\"0.1\"", "number"});
    add("[0]", {"train.ema_widths[0]: got 0", "0.001 ≤ width < 0.2887"});
    add("[0.05, -0.1]", {"train.ema_widths[1]: got -0.1", "0.001 ≤ width < 0.2887"});
    add("[0.2887]", {"train.ema_widths[0]: got 0.2887", "0.001 ≤ width < 0.2887"});
    add("[0.1, 0.05, 0.1]", {"train.ema_widths[2]: got 0.1 beside 0.1", "differ"});
    add("[0.1, 0.1000001]", {"train.ema_widths[1]: got 0.1000001 beside 0.1", "differ by 1 % or more"});
    test::expect_refusals(cases);
}

TEST(BadInput, AveragesAfterTheFact) {
    const auto pipeline = [](const fs::path& folder) { test::sound().write(folder / "p"); };
    const auto run = [](const fs::path& folder) { fs::create_directories(folder / "r/checkpoints"); };
    const auto with_file = [](const fs::path& folder) {
        fs::create_directories(folder / "r/checkpoints");
        fs::create_directories(folder / "r/ema");
        write_file(folder / "r/ema/step-000004-width-0.1.safetensors", "not tensors");
    };
    test::expect_refusals({
        {"no run", {"ema"}, {"ema: of which run?"}},
        {"no width", {"ema", "r"}, {"--width W"}},
        {"a width that is no number", {"ema", "r", "--width", "wide"}, {"--width", "\"wide\"", "number"}},
        {"a width beyond all", {"ema", "r", "--width", "2"}, {"--width: got 2", "0.001 ≤ width < 0.2887"}},
        {"a width of all", {"ema", "r", "--width", "0.5"}, {"--width: got 0.5", "0.001 ≤ width < 0.2887"}},
        {"a step of nothing", {"ema", "r", "--width", "0.1", "--step", "0"}, {"--step", "\"0\"", "≥ 1"}},
        {"a run that is not there", {"ema", "none", "--width", "0.1"}, {"none", "is no run folder"}},
        {"a folder of diffusers", {"ema", "p", "--width", "0.1"}, {"p: is no run folder"}, pipeline},
        {"a run without snapshots", {"ema", "r", "--width", "0.1"}, {"r: has no snapshots", "train.ema_widths"}, run},
        {"a file for its averages",
         {"ema", "r", "--width", "0.1"},
         {"r/ema: is no folder", "averages"},
         [run](const fs::path& folder) {
             run(folder);
             write_file(folder / "r/ema", "x");
         }},
        {"a step after all", {"ema", "r", "--width", "0.1", "--step", "9"}, {"--step: got 9, expected 4 … 4"}, with_file},
        {"a target in the run",
         {"ema", "r", "--width", "0.1", "--out", "r/checkpoints/step-000009"},
         {"--out: r/checkpoints/step-000009: lies in the run"},
         run},
        {"a target that is no average",
         {"ema", "r", "--width", "0.1", "--out", "p", "--overwrite"},
         {"p: was not written by `ddpm ema`"},
         pipeline},
        {"a width of a folder of diffusers", {"sample", "--ckpt", "p", "--ema-width", "0.1"}, {"p: is no run folder"}, pipeline},
        {"a width of a run without snapshots", {"sample", "--ckpt", "r", "--ema-width", "0.1"}, {"r: has no snapshots"}, run},
        {"a width of raw weights",
         {"sample", "--ckpt", "r", "--ema-width", "0.1", "--weights", "raw"},
         {"--ema-width and --weights raw contradict each other"},
         run},
        {"a step of no average",
         {"sample", "--ckpt", "r", "--step", "4"},
         {"--step: belongs to --ema-width", "--steps says in how many"},
         run},
        {"a step that the snapshots do not reach",
         {"sample", "--ckpt", "r", "--ema-width", "0.1", "--step", "9"},
         {"--step: got 9, expected 4 … 4"},
         with_file},
        {"a width that is too large", {"sample", "--ckpt", "r", "--ema-width", "0.29"}, {"--ema-width: got 0.29", "0.2887"}, run},
    });
}

}  // namespace
}  // namespace ddpm
