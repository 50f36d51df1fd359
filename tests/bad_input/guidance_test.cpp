#include "bad_input/bad_input.h"
#include "bad_input/parts.h"

namespace ddpm {
namespace {

using test::BadInput;
using test::Parts;
using test::sound;
using Words = std::vector<std::string>;

TEST(BadInput, FlagsOfGuidance) {
    const auto flag = [](const std::string& name, const char* of, const char* value, Words words) {
        return BadInput{name, {"sample", "--ckpt", "x", of, value}, std::move(words)};
    };
    const auto interval = [&](const std::string& name, const char* value, Words words) {
        return flag(name, "--guidance-interval", value, std::move(words));
    };
    test::expect_refusals({
        flag("a negative scale", "--guidance", "-1", {"--guidance", "\"-1\"", "0 … 1000"}),
        flag("a scale that is no number", "--guidance", "nan", {"--guidance", "\"nan\""}),
        flag("an endless scale", "--guidance", "inf", {"--guidance", "\"inf\""}),
        flag("a scale in words", "--guidance", "much", {"--guidance", "\"much\"", "number"}),
        flag("a share above one", "--guidance-rescale", "1.5", {"--guidance-rescale", "\"1.5\"", "0 … 1"}),
        flag("a share below nothing", "--guidance-rescale", "-0.1", {"--guidance-rescale", "0 … 1"}),
        flag("a guide without a name", "--guide-ckpt", "", {"--guide-ckpt", "empty"}),
        interval("an interval of one number", "5", {"error: --guidance-interval: got [5]", "two noise levels, [LO, HI]"}),
        interval("an interval of three", "1,2,3", {"error: --guidance-interval: got [1,2,3]", "two noise levels"}),
        interval("an interval that falls", "5,0.3", {"error: --guidance-interval: no noise level lies above 5", "up to 0.3"}),
        interval("an interval of nothing", "2,2", {"error: --guidance-interval: no noise level lies above 2"}),
        interval("an interval below nothing", "-1,5", {"error: --guidance-interval: got -1", "≥ 0"}),
        interval("an interval in words", "low,high", {"error: --guidance-interval: got \"low\"", "number"}),
        interval("an interval that begins at no end", "inf,5", {"error: --guidance-interval: got \"inf\"", "number"}),
        {"guidance without an empty label in a configuration",
         {"train", "--config", "c.json", "--set", "sample.guidance_scale=2"},
         {"error: --set sample.guidance_scale: guidance needs an empty label", "train.class_dropout"},
         test::file("c.json", "{}")},
        {"an interval that is a number in a configuration",
         {"train", "--config", "c.json", "--set", "sample.guidance_interval=5"},
         {"error: --set sample.guidance_interval: got 5", "two noise levels"},
         test::file("c.json", "{}")},
    });
}

// Runs of a step: r0 with ten labels, r1 with ten and the empty one, grey of one channel; and r1 without its training.
const fs::path& runs() {
    static const TempFolder folder;
    static const fs::path made = [] {
        const auto train = [](const char* run, const Json& changes) {
            Json config = parse_json(R"({"dataset": {"image_size": 8, "length": 8}, "diffusion": {"timesteps": 10},
                "model": {"block_out_channels": [8], "layers_per_block": 1, "attention_resolutions": [], "norm_num_groups": 4},
                "train": {"steps": 1, "batch_size": 1, "sample_images": 0}})",
                                     "config");
            config.merge_patch(changes);
            const std::string file = std::string(run) + ".json";
            write_file(folder / file, dump_json(config));
            const ProcessResult trained = run_ddpm({"train", "--config", file, "--out", run, "--threads", "1"}, folder.path());
            EXPECT_EQ(trained.code, 0) << trained.err;
        };
        train("r0", {{"model", {{"num_class_embeds", 10}}}});
        train("r1", {{"model", {{"num_class_embeds", 11}}}, {"train", {{"class_dropout", 0.1}}}});
        train("grey", {{"dataset", {{"channels", 1}}}});
        const ProcessResult plain = run_ddpm({"convert", "r1", "plain"}, folder.path());
        EXPECT_EQ(plain.code, 0) << plain.err;
        return folder.path();
    }();
    return made;
}

TEST(BadInput, ModelsThatCantBeGuided) {
    const auto sampled = [](const std::string& name, Words arguments, Words words) {
        arguments.insert(arguments.begin(), {"sample", "--quiet", "--ckpt"});
        return BadInput{name, std::move(arguments), std::move(words), [](const fs::path& folder) {
                            fs::copy(runs(), folder, fs::copy_options::recursive);
                            sound().write(folder / "p");
                        }};
    };
    test::expect_refusals({
        sampled("a network without labels", {"p", "--guidance", "2"},
                {"error: --guidance: p: its network has no labels", "--guide-ckpt"}),
        sampled("a run without dropped labels", {"r0", "--guidance", "2"},
                {"error: --guidance: r0/checkpoints/step-000001: was trained with train.class_dropout 0", "--guide-ckpt"}),
        sampled("a model of another program", {"plain", "--guidance", "2"},
                {"error: --guidance: plain: doesn't say how it was trained", "its last label, 10, is an empty label"}),
        sampled("the empty label itself", {"r1", "--guidance", "2", "--label", "10"}, {"error: --label: 10 is the empty label"}),
        sampled("a share of no guidance", {"r1", "--guidance-rescale", "0.7"},
                {"error: --guidance-rescale: nothing is guided without --guidance above or below 1"}),
        sampled("an interval of no guidance", {"r1", "--guidance-interval", "0.3,5"},
                {"error: --guidance-interval: nothing is guided"}),
        sampled("an interval of a scale of one", {"r1", "--guidance", "1", "--guidance-interval", "0.3,5"},
                {"error: --guidance-interval: nothing is guided"}),
        sampled("a guide without a scale", {"p", "--guide-ckpt", "r0"}, {"error: --guide-ckpt: has no say", "--guidance 2"}),
        sampled("the network itself as its guide", {"p", "--guidance", "2", "--guide-ckpt", "./p"},
                {"error: --guide-ckpt: ./p: is the model itself"}),
        sampled("the checkpoint of the run as its guide", {"r0", "--guidance", "2", "--guide-ckpt", "r0/checkpoints/step-000001"},
                {"error: --guide-ckpt: r0/checkpoints/step-000001: is the model itself"}),
        sampled("thresholding beside a clip of a flag", {"p", "--threshold", "0.9", "--no-clip"},
                {"error: --threshold: thresholding takes the place of clipping; leave it or --no-clip out"}),
        sampled("churn of no churn", {"p", "--sampler", "heun", "--churn-min", "1"},
                {"error: --churn-min: no noise is added without --churn; give that too"}),
        sampled("churn between levels that fall",
                {"p", "--sampler", "heun", "--churn", "3", "--churn-min", "5", "--churn-max", "1"},
                {"error: --churn-min: 5 is above --churn-max, 1"}),
        sampled("a list beside steps", {"p", "--timesteps", "9,3", "--steps", "2"},
                {"error: --timesteps: the list says which t are kept; leave it or --steps out"}),
        sampled("a guide that is not there", {"p", "--guidance", "2", "--guide-ckpt", "none"},
                {"error: --guide-ckpt: none: not found"}),
        sampled("a guide of other channels", {"p", "--guidance", "2", "--guide-ckpt", "grey"},
                {"error: --guide-ckpt: grey/checkpoints/step-000001: pictures of 8x8 with 1 channel; p: pictures of 8x8 with 3"}),
        sampled("a guide with labels for a network without", {"p", "--guidance", "2", "--guide-ckpt", "r1"},
                {"error: --guide-ckpt: r1/checkpoints/step-000001: 11 labels; p: no labels"}),
        sampled("a guide of another number of labels", {"r0", "--guidance", "2", "--guide-ckpt", "plain"},
                {"error: --guide-ckpt: plain: 11 labels; r0/checkpoints/step-000001: 10 labels"}),
        sampled("a guide without raw weights", {"r1", "--weights", "raw", "--guidance", "2", "--guide-ckpt", "plain"},
                {"error: --guide-ckpt: plain: has no raw weights"}),
    });
}

TEST(BadInput, GuidesThatDiffer) {
    const auto guide = [](const std::string& name, Words words, const std::function<void(Parts&)>& change) {
        return BadInput{
            name, {"sample", "--ckpt", "p", "--guidance", "2", "--guide-ckpt", "g"}, std::move(words), [=](const fs::path& folder) {
                Parts parts = sound();
                parts.write(folder / "p");
                change(parts);
                parts.write(folder / "g");
            }};
    };
    test::expect_refusals({
        guide("another prediction type", {"error: --guide-ckpt: g: its network predicts sample; p: its network predicts"},
              [](Parts& parts) { parts.scheduler["prediction_type"] = "sample"; }),
        guide("more timesteps", {"error: --guide-ckpt: g: a schedule with T = 20; p: one with T = 10"},
              [](Parts& parts) { parts.scheduler["num_train_timesteps"] = 20; }),
        guide("another schedule", {"error: --guide-ckpt: g: a schedule with √ᾱ = ", "at t = ", "expected the same"},
              [](Parts& parts) { parts.scheduler["beta_schedule"] = "linear"; }),
        guide("another size", {"error: --guide-ckpt: g: pictures of 16x16 with 3 channels; p: pictures of 8x8"},
              [](Parts& parts) { parts.unet["sample_size"] = 16; }),
        guide("a damaged guide", {"g/unet/config.json"}, [](Parts& parts) { parts.unet = Json::array(); }),
    });
}

}  // namespace
}  // namespace ddpm
