#include "bad_input/bad_input.h"

namespace ddpm {
namespace {

using test::BadInput;
using test::file;

TEST(BadInput, Json) {
    const std::vector<std::pair<std::string, std::pair<std::string, std::vector<std::string>>>> table = {
        {"zero bytes", {"", {"is empty, expected JSON"}}},
        {"blanks", {" \n ", {"not valid JSON"}}},
        {"a number", {"5", {"got 5", "object"}}},
        {"cut off", {R"({"seed": 1)", {"not valid JSON"}}},
        {"a comma too many", {"{\"seed\": 1,}", {"1:12", "not valid JSON"}}},
        {"a comment", {"{} // mine", {"1:4", "not valid JSON"}}},
        {"quotes that are not JSON's", {"{'seed': 1}", {"1:2", "not valid JSON"}}},
        {"NaN", {R"({"seed": NaN})", {"not valid JSON"}}},
        {"something after the end", {"{} {}", {"1:4", "not valid JSON"}}},
        {"a byte order mark cut short", {"\xef\xbb{}", {"not valid JSON"}}},
        {"UTF-16", {std::string("\xff\xfe{\0}\0", 6), {"UTF-16, expected JSON"}}},
        {"not UTF-8", {"{\"a\xff\": 1}", {"not valid JSON"}}},
        {"half a surrogate pair", {R"({"\ud83d": 1})", {"not valid JSON"}}},
        {"a zero byte", {std::string("{\"seed\": \0 1}", 13), {"not valid JSON"}}},
        {"a number too large", {R"({"seed": 1e400})", {"not valid JSON"}}},
        {"one key twice", {R"({"seed": 1, "seed": 2})", {"seed: given twice"}}},
        {"one key twice, deep inside", {R"({"model": {"dropout": 0, "dropout": 0}})", {"model.dropout: given twice"}}},
        {"65 lists in one another", {std::string(65, '[') + std::string(65, ']'), {"nested more than 64 levels"}}},
        {"a hundred thousand lists", {std::string(100000, '['), {"nested more than 64 levels"}}},
        {"4 MiB of empty lists",
         {"[[]" +
              [] {
                  std::string s;
                  for (int i = 0; i < 1398100; ++i) s += ",[]";
                  return s;
              }() +
              "]",
          {"an object"}}},
        {"more than 4 MiB", {std::string((4 << 20) + 1, ' '), {"larger than the 4194304 bytes"}}},
        {"a key of a megabyte", {"{\"" + std::string(1 << 20, 'k') + "\": 1}", {"unknown key \"kkk"}}},
        {"a key of control characters", {R"({"\n\u001b[31m": 1})", {"unknown key \"\\n\\x1b[31m\""}}},
        {"a program",
         {"\x7f"
          "ELF\2\1\1",
          {"is a program, expected JSON"}}},
    };
    std::vector<BadInput> cases;
    for (const auto& [name, content] : table) {
        std::vector<std::string> words = content.second;
        words.insert(words.begin(), "x.json");
        cases.push_back({name, {"train", "--config", "x.json"}, words, file("x.json", content.first)});
    }
    test::expect_refusals(cases);
}

TEST(BadInput, Values) {
    std::vector<BadInput> cases;
    const auto add = [&](const std::string& section, const std::string& value, std::vector<std::string> words) {
        const std::string text = section.empty() ? value : "{\"" + section + "\": " + value + "}";
        words.insert(words.begin(), "x.json");
        cases.push_back({text.substr(0, 60), {"train", "--config", "x.json"}, std::move(words), file("x.json", text)});
    };
    add("", R"({"modle": {}})", {"unknown key \"modle\"", "did you mean \"model\""});
    add("seed", "-1", {"seed", "got -1"});
    add("seed", "1.5", {"seed", "1.5", "integer"});
    add("seed", "9223372036854775808", {"seed", "9223372036854775808"});
    add("seed", "\"7\"", {"seed", "\"7\""});
    add("train", "[]", {"train", "object"});
    add("train", R"({"steps": 0})", {"train.steps", "≥ 1"});
    add("train", R"({"steps": true})", {"train.steps", "true"});
    add("train", R"({"learning_rate": 0})", {"train.learning_rate", "> 0"});
    add("train", R"({"learning_rate": "1e-4"})", {"train.learning_rate", "\"1e-4\"", "number"});
    add("train", R"({"ema_decay": 1.1})", {"train.ema_decay", "1.1", "0 … 1"});
    add("train", R"({"optimizer": "sgd"})", {"train.optimizer", "adamw, adam"});
    add("train", R"({"batch_size": 10000000})", {"train.batch_size", "10000000"});
    add("train", R"({"lr_schedule": "cosine", "steps": 10, "warmup_steps": 20})", {"train.warmup_steps", "never begins"});
    add("dataset", R"({"image_size": [8]})", {"dataset.image_size", "[height, width]"});
    add("dataset", R"({"image_size": 100000})", {"dataset.image_size", "100000"});
    add("dataset", R"({"channels": 2})", {"dataset.channels", "1, 3 or 4"});
    add("dataset", R"({"background": "blue"})", {"dataset.background", "white, black, gray"});
    add("dataset", R"({"background": [0, 0, 256]})", {"dataset.background[2]", "256"});
    add("dataset", R"({"path": "x"})", {"dataset.path", "built in"});
    add("dataset", R"({"type": "mnist"})", {"dataset.path", "missing"});
    add("dataset", R"({"split": "test"})", {"dataset.split", "no parts"});
    add("dataset", R"({"type": "cifar10", "path": "x", "channels": 4})", {"dataset.channels", "no transparency"});
    add("model", R"({"block_out_channels": []})", {"model.block_out_channels"});
    add("model", R"({"block_out_channels": [8, 8, 8, 8, 8, 8, 8, 8]})", {"model", "32"});
    add("model", R"({"down_block_types": ["DownBlock2D"]})", {"model", "up_block_types"});
    add("model", R"({"sample_size": 16})", {"model.sample_size", "32"});
    add("model", R"({"in_channels": 1})", {"model.in_channels"});
    add("model", R"({"act_fn": 5})", {"model.act_fn", "got 5"});
    add("diffusion", R"({"timesteps": 1})", {"diffusion.timesteps", "2 …"});
    add("diffusion", R"({"schedule": "linear", "timesteps": 10})", {"diffusion.timesteps", "too few"});
    add("diffusion", R"({"schedule": "linear", "beta_start": 0.5, "beta_end": 0.1})", {"diffusion.beta_start", "larger than"});
    add("diffusion", R"({"schedule": "scaled_linear", "beta_end": 1})", {"diffusion.beta_end", "below 1"});
    add("diffusion", R"({"schedule": "scaled_linear", "timesteps": 100000})", {"diffusion.timesteps", "too many"});
    add("diffusion", R"({"variance_type": "learned"})", {"diffusion.variance_type", "fixed_small, fixed_large, learned_range"});
    add("sample", R"({"eta": 2})", {"sample.eta", "0 … 1"});
    add("sample", R"({"steps": 2000})", {"sample.steps", "1000"});
    add("sample", R"({"steps": 501, "timestep_spacing": "leading"})", {"sample.timestep_spacing", "t = 500", "take trailing"});
    add("sample", R"({"steps": 334, "timestep_spacing": "leading"})", {"sample.timestep_spacing", "t = 666", "√ᾱ = "});
    add("sample", R"({"steps": 1, "timestep_spacing": "linspace"})", {"sample.timestep_spacing", "linspace", "t = 0"});
    add("sample", R"({"steps": 2, "timestep_spacing": "leading", "steps_offset": 1})", {"sample.timestep_spacing", "t = 501"});
    add("sample", R"({"sampler": "ddim", "variance": "fixed_large"})", {"sample.variance", "ddim"});
    add("sample", R"({"steps": 900, "steps_offset": 500})", {"sample.steps_offset", "500"});
    test::expect_refusals(cases);
}

// Section `sample`: what one key does not allow, and what would have no effect beside another.
TEST(BadInput, Sampling) {
    std::vector<BadInput> cases;
    const auto add = [&](const std::string& section, std::vector<std::string> words) {
        words.insert(words.begin(), "x.json: sample.");
        cases.push_back(
            {section, {"train", "--config", "x.json"}, std::move(words), file("x.json", "{\"sample\": " + section + "}")});
    };
    add(R"({"sampler": "eulr"})", {"sampler: got \"eulr\"", "did you mean \"euler\""});
    add(R"({"sampler": "dpmpp_3m"})", {"sampler: got \"dpmpp_3m\"", "did you mean \"dpmpp_2m\""});
    add(R"({"sampler": "uni_pc", "order": 0})", {"order: got 0", "1 … 3"});
    add(R"({"sampler": "unipc", "order": 4})", {"order: got 4", "1 … 3"});
    add(R"({"sampler": "unipc", "order": 1.5})", {"order: got 1.5", "an integer"});
    add(R"({"sampler": "ddim", "order": 3})", {"order: the ddim sampler has none", "take unipc"});
    add(R"({"sampler": "unipc", "eta": 0.5})", {"eta: the unipc sampler has none", "take ddim or dpmpp_2m"});
    add(R"({"sampler": "euler_a", "variance": "fixed_large"})", {"variance: the ddim sampler has none", "take ancestral"});
    add(R"({"sampler": "heun", "s_churn": -1})", {"s_churn: got -1", "≥ 0"});
    add(R"({"sampler": "dpmpp_2m", "s_churn": 5})", {"s_churn: the dpmpp_2m sampler has none", "take heun"});
    add(R"({"sampler": "heun", "s_noise": 1.003})", {"s_noise: no noise is added without sample.s_churn"});
    add(R"({"sampler": "heun", "s_churn": 5, "s_tmin": 50, "s_tmax": 1})", {"s_tmin: 50 is above sample.s_tmax, 1"});
    add(R"({"sampler": "heun", "s_churn": "much"})", {"s_churn: got \"much\"", "a number"});
    add(R"({"threshold_ratio": 0})", {"threshold_ratio: got 0", "> 0 and ≤ 1"});
    add(R"({"threshold_ratio": 99.5})", {"threshold_ratio: got 99.5"});
    add(R"({"threshold_max": 3})", {"threshold_max: nothing is thresholded without sample.threshold_ratio"});
    add(R"({"threshold_ratio": 0.995, "threshold_max": 0.5})", {"threshold_max: got 0.5", "≥ 1"});
    add(R"({"threshold_ratio": 0.995, "clip": false})",
        {"threshold_ratio: thresholding takes the place of clipping", "sample.clip out"});
    add(R"({"threshold_ratio": 0.995, "clip_range": 2})", {"threshold_ratio: thresholding", "sample.clip_range out"});
    add(R"({"timesteps": 999})", {"timesteps: got 999", "a list of integers"});
    add(R"({"timesteps": []})", {"timesteps: got []", "at least one t"});
    add(R"({"timesteps": [999, 0.5]})", {"timesteps[1]: got 0.5", "an integer"});
    add(R"({"timesteps": [999, -1]})", {"timesteps[1]: got -1"});
    add(R"({"timesteps": [5, 500, 999]})", {"timesteps: 500 follows 5", "a falling list"});
    add(R"({"timesteps": [999, 500, 500]})", {"timesteps: 500 follows 500", "a falling list"});
    add(R"({"timesteps": [1000, 5]})", {"timesteps: 1000 is beyond the schedule", "0 … 999"});
    add(R"({"timesteps": [400, 5]})", {"timesteps: the list of 2 timesteps begins at t = 400", "√ᾱ = 0.8", "begin nearer to 999"});
    add(R"({"timesteps": [999, 5], "steps": 2})", {"timesteps: the list says which t are kept", "sample.steps out"});
    add(R"({"timesteps": [999, 5], "timestep_spacing": "karras"})", {"timesteps: the list", "sample.timestep_spacing out"});
    add(R"({"timestep_spacing": "karas"})", {"timestep_spacing: got \"karas\"", "did you mean \"karras\""});
    add(R"({"timestep_spacing": "karras", "steps": 1001})", {"steps: 1001 steps", "1 … 1000"});
    add(R"({"timestep_spacing": "karras", "rho": 0})", {"rho: got 0", "> 0"});
    add(R"({"timestep_spacing": "trailing", "rho": 5})", {"rho: only karras spacing has it"});
    test::expect_refusals(cases);
}

// A learned embedding has a row for each whole t.
TEST(BadInput, TimesBetweenTheRowsOfAnEmbedding) {
    const auto with = [](const std::string& sample) {
        return file("x.json",
                    R"({"model": {"time_embedding_type": "learned", "num_train_timesteps": 1000}, "sample": )" + sample + "}");
    };
    const std::vector<std::string> train = {"train", "--config", "x.json"};
    test::expect_refusals({
        {"karras",
         train,
         {"sample.timestep_spacing: asks for t = ", "learned", "keep to whole t"},
         with(R"({"steps": 10, "timestep_spacing": "exponential"})")},
        {"churn",
         train,
         {"sample.s_churn: asks for t = ", "learned", "leave it out"},
         with(R"({"sampler": "heun", "steps": 10, "s_churn": 5})")},
    });
}

// What training lowers.
TEST(BadInput, Losses) {
    std::vector<BadInput> cases;
    const auto add = [&](const std::string& text, std::vector<std::string> words) {
        words.insert(words.begin(), "x.json");
        cases.push_back({text, {"train", "--config", "x.json"}, std::move(words), file("x.json", text)});
    };
    const auto add_train = [&](const std::string& keys, std::vector<std::string> words) {
        add("{\"train\": {" + keys + "}}", std::move(words));
    };
    add_train(R"("loss_weighting": "min-snr")", {"train.loss_weighting", "\"min-snr\"", "simple, min_snr, soft_min_snr"});
    add_train(R"("loss_weighting": 5)", {"train.loss_weighting", "got 5"});
    add_train(R"("loss_weighting": null)", {"train.loss_weighting", "null"});
    add_train(R"("loss_weigthing": "p2")", {"train", "\"loss_weigthing\"", "did you mean \"loss_weighting\""});
    add_train(R"("loss_weighting": "min_snr", "snr_gamma": 0)", {"train.snr_gamma", "> 0"});
    add_train(R"("loss_weighting": "min_snr", "snr_gamma": "5")", {"train.snr_gamma", "\"5\"", "number"});
    add_train(R"("snr_gamma": 3)", {"train.snr_gamma", "not read with train.loss_weighting simple", "min_snr or soft_min_snr"});
    add_train(R"("loss_weighting": "p2", "snr_gamma": 3)", {"train.snr_gamma", "not read with train.loss_weighting p2"});
    add_train(R"("loss_weighting": "min_snr", "p2_k": 2)", {"train.p2_k", "not read with train.loss_weighting min_snr", "p2"});
    add_train(R"("loss_weighting": "truncated_snr", "p2_gamma": 2)", {"train.p2_gamma", "not read"});
    add_train(R"("loss_weighting": "p2", "p2_k": 0)", {"train.p2_k", "> 0"});
    add_train(R"("loss_weighting": "p2", "p2_gamma": -1)", {"train.p2_gamma", "0 … 10"});
    add_train(R"("timestep_sampling": "logit_normal")", {"train.timestep_sampling", "uniform, lognormal"});
    add_train(R"("lognormal_mean": 0)", {"train.lognormal_mean", "not read with train.timestep_sampling uniform", "lognormal"});
    add_train(R"("timestep_sampling": "lognormal", "lognormal_deviation": 0)", {"train.lognormal_deviation", "> 0"});
    add_train(R"("timestep_sampling": "lognormal", "lognormal_mean": 1e3)", {"train.lognormal_mean", "-20 … 20"});
    add_train(R"("input_perturbation": -0.1)", {"train.input_perturbation", "0 … 1"});
    add_train(R"("input_perturbation": true)", {"train.input_perturbation", "true", "number"});
    add_train(R"("noise_offset": 2)", {"train.noise_offset", "0 … 1"});
    add_train(R"("noise_offset": [0.1])", {"train.noise_offset", "number"});
    const auto with = [](const std::string& diffusion, const std::string& rest) {
        return "{\"diffusion\": {" + diffusion + "}, " + rest + "}";
    };
    const std::string zero = R"("zero_terminal_snr": true, "prediction_type": )", learned = R"("variance_type": "learned_range")";
    for (const char* weighting : {"min_snr", "soft_min_snr", "p2"})
        for (const char* type : {"\"v_prediction\"", "\"sample\""})
            add(with(zero + type, R"("train": {"loss_weighting": ")" + std::string(weighting) + "\"}"),
                {"train.loss_weighting", weighting, "0 at the last t", "simple or truncated_snr"});
    add(with(zero + "\"v_prediction\"", R"("train": {"timestep_sampling": "lognormal"})"),
        {"train.timestep_sampling", "never draws the last t", "uniform"});
    add(with(learned, R"("train": {"timestep_sampling": "lognormal"})"),
        {"train.timestep_sampling", "diffusion.variance_type learned_range", "uniform"});
    add(with(learned, R"("model": {"out_channels": 3})"),
        {"model.out_channels", "got 3", "dataset.channels is 3", "twice as many"});
    add(with(learned, R"("model": {"in_channels": 6})"), {"model.in_channels", "got 6", "dataset.channels is 3"});
    add(R"({"model": {"out_channels": 6}})", {"model.out_channels", "got 6", "diffusion.variance_type learned_range"});
    add(R"({"sample": {"variance": "learned_range"}})", {"sample.variance", "predicts a variance", "diffusion.variance_type"});
    test::expect_refusals(cases);
}

// A message about a flag names the flag, and not the configuration key that it sets.
TEST(BadInput, Flags) {
    test::expect_refusals({
        {"too few steps for linear", {"schedule", "linear", "--timesteps", "20"}, {"error: --timesteps: 20 steps are too few"}},
        {"too many steps",
         {"schedule", "scaled_linear", "--timesteps", "1000000"},
         {"error: --timesteps: 1000000 steps are too many"}},
        {"an unknown schedule", {"schedule", "cosin"}, {"error: unknown schedule \"cosin\"; did you mean \"cosine\""}},
        {"an unknown schedule of a preview",
         {"noise-preview", "x.png", "--schedule", "cosin"},
         {"error: --schedule: unknown schedule \"cosin\""}},
        {"an unknown sampler", {"sample", "--ckpt", "x", "--sampler", "dimm"}, {"error: --sampler", "\"dimm\""}},
        {"a weight's key without the weight",
         {"train", "--config", "c.json", "--set", "train.snr_gamma=3"},
         {"error: --set train.snr_gamma: 3.0 is not read with train.loss_weighting simple"},
         file("c.json", "{}")},
        {"an unknown variance", {"sample", "--ckpt", "x", "--variance", "small"}, {"error: --variance", "\"small\""}},
        {"a sampler nearly known",
         {"sample", "--ckpt", "x", "--sampler", "euler-a"},
         {"error: --sampler", "did you mean \"euler_a\""}},
        {"an unknown spacing", {"sample", "--ckpt", "x", "--spacing", "karas"}, {"error: --spacing", "did you mean \"karras\""}},
        {"an order of four", {"sample", "--ckpt", "x", "--order", "4"}, {"--order", "1 … 3"}},
        {"a negative churn", {"sample", "--ckpt", "x", "--churn", "-1"}, {"--churn", "\"-1\"", "≥ 0"}},
        {"a churn that is no number", {"sample", "--ckpt", "x", "--churn", "nan"}, {"--churn", "\"nan\""}},
        {"an endless bound", {"sample", "--ckpt", "x", "--churn-max", "inf"}, {"--churn-max", "\"inf\""}},
        {"a threshold of nothing", {"sample", "--ckpt", "x", "--threshold", "0"}, {"error: --threshold: got 0", "> 0"}},
        {"a threshold in percent", {"sample", "--ckpt", "x", "--threshold", "99.5"}, {"--threshold", "0 … 1"}},
        {"a bound below one", {"sample", "--ckpt", "x", "--threshold-max", "0.5"}, {"--threshold-max", "≥ 1"}},
        {"a rho of nothing", {"sample", "--ckpt", "x", "--rho", "0"}, {"error: --rho: got 0", "> 0"}},
        {"timesteps with a gap", {"sample", "--ckpt", "x", "--timesteps", "999,,5"}, {"error: --timesteps: got \"\""}},
        {"timesteps with a word",
         {"sample", "--ckpt", "x", "--timesteps", "999,half,0"},
         {"error: --timesteps: got \"half\"", "integer"}},
        {"timesteps between", {"sample", "--ckpt", "x", "--timesteps", "999,0.5"}, {"error: --timesteps: got 0.5", "integer"}},
        {"no timesteps", {"sample", "--ckpt", "x", "--timesteps", ""}, {"--timesteps"}},
        {"timesteps that rise",
         {"sample", "--ckpt", "x", "--timesteps", "0,999"},
         {"error: --timesteps: 999 follows 0", "falling"}},
        {"a number that is none", {"sample", "--ckpt", "x", "--n", "ten"}, {"--n", "\"ten\"", "integer"}},
        {"a number beyond int64", {"sample", "--ckpt", "x", "--n", "9223372036854775808"}, {"--n"}},
        {"a number with a tail", {"sample", "--ckpt", "x", "--steps", "10x"}, {"--steps", "\"10x\""}},
        {"a hexadecimal number", {"sample", "--ckpt", "x", "--seed", "0x10"}, {"--seed", "\"0x10\""}},
        {"a flag without its value", {"sample", "--ckpt"}, {"--ckpt"}},
        {"a flag twice", {"sample", "--ckpt", "x", "--ckpt", "y"}, {"--ckpt"}},
        {"an empty checkpoint", {"sample", "--ckpt", ""}, {"--ckpt", "empty"}},
        {"control characters", {"sample", "--ckpt", "a\nb\x1b[31m"}, {"a\\nb\\x1b[31m: not found"}},
        {"an argument of 100 kB", {"info", std::string(100000, 'x')}, {"not found"}},
        {"--set without a value", {"train", "--config", "c.json", "--set", "seed="}, {"--set seed"}, file("c.json", "{}")},
        {"--set of a section", {"train", "--config", "c.json", "--set", "model={}"}, {"--set", "model"}, file("c.json", "{}")},
        {"--set of nothing", {"train", "--config", "c.json", "--set", "=1"}, {"--set", "section.key=value"}, file("c.json", "{}")},
        {"--set of a key in a key",
         {"train", "--config", "c.json", "--set", "model.a.b=1"},
         {"--set", "model.a.b"},
         file("c.json", "{}")},
    });
}

}  // namespace
}  // namespace ddpm
