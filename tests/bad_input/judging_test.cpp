#include "bad_input/bad_input.h"

namespace ddpm {
namespace {

using test::BadInput;
using test::file;

// `ddpm train` with a small configuration and such a section `eval`.
BadInput section(const std::string& name, const std::string& eval, std::vector<std::string> words) {
    return {name,
            {"train", "--config", "c.json"},
            std::move(words),
            file("c.json", R"({"dataset": {"type": "shapes", "image_size": 8, "length": 30}, "eval": )" + eval + "}")};
}

BadInput done(const std::string& name, const std::string& config, std::vector<std::string> words) {
    return {name, {"train", "--config", "c.json", "--stop-when-done"}, std::move(words), file("c.json", config)};
}

TEST(BadInput, JudgingDuringTraining) {
    test::expect_refusals({
        section("an unknown key", R"({"evry": 5})", {"c.json: eval: unknown key \"evry\"", "every"}),
        section("no section", "5", {"eval: got 5, expected an object"}),
        section("a negative interval", R"({"every": -1})", {"eval.every: got -1", "≥ 0"}),
        section("half a step", R"({"every": 0.5})", {"eval.every: got 0.5", "integer"}),
        section("too few samples", R"({"n": 19})", {"eval.n: got 19", "20"}),
        section("too few real pictures", R"({"reference": 5})", {"eval.reference: got 5", "20"}),
        section("more than all time", R"({"share": 1.5})", {"eval.share: got 1.5", "0 … 1"}),
        section("a share in words", R"({"share": "10 %"})", {"eval.share: got \"10 %\"", "a number"}),
        section("unknown features", R"({"features": "scater"})", {"eval.features: unknown features \"scater\"", "scatter"}),
        section("a file for features without one", R"({"features": "pixel:x.pth"})", {"eval.features: ", "pixel take no file"}),
        section("an unknown metric", R"({"metrics": "mmd,fid"})", {"eval.metrics: unknown metric \"fid\"", "fd"}),
        section("no metric", R"({"metrics": ""})", {"eval.metrics: unknown metric \"\""}),
        section("a metric twice", R"({"metrics": "fd,fd"})", {"eval.metrics: \"fd\" is there twice"}),
        section("more is better", R"({"metrics": "pr,mmd"})", {"eval.metrics: begins with \"pr\", of which more is better", "mmd"}),
        {"too few pictures to judge by",
         {"train", "--config", "c.json", "--set", "eval.every=2"},
         {"eval.every: samples are judged beside 20 or more pictures", "12"},
         file("c.json", R"({"dataset": {"type": "shapes", "image_size": 8, "length": 12}, "train": {"batch_size": 2},
                            "model": {"block_out_channels": [4, 8], "layers_per_block": 1, "norm_num_groups": 2,
                                      "attention_resolutions": []}})")},
        {"by a flag", {"train", "--config", "c.json", "--set", "eval.n=3"}, {"--set eval.n: got 3"}, file("c.json", "{}")},
        done("done by nothing", R"({"dataset": {"type": "shapes"}})",
             {"--stop-when-done: nothing is measured", "dataset.holdout=0.1", "eval.every=1000"}),
        done("held-out images that are looked at in the end",
             R"({"dataset": {"type": "shapes", "holdout": 9}, "train": {"validate_every": 0}})",
             {"--stop-when-done: nothing is measured", "train.validate_every=1000"}),
    });
}

}  // namespace
}  // namespace ddpm
