#include <gtest/gtest.h>

#include "cli/tiny.h"

namespace ddpm {
namespace {

struct Case {
    std::vector<std::string> arguments;
    std::vector<std::string> words;  // that the message must hold
};

class Mistakes : public testing::TestWithParam<Case> {};

// Whatever the mistake: exit code 2, one line (two with a hint), nothing on standard output, nothing left behind.
TEST_P(Mistakes, GetOneClearLine) {
    const Tiny tiny;
    const auto before = list_files(tiny.folder.path(), true);
    const ProcessResult result = tiny.run(GetParam().arguments);
    EXPECT_EQ(result.code, 2) << result.err;
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(result.err.rfind("error: ", 0), 0u) << result.err;
    EXPECT_LE(result.error_lines(), 2) << result.err;
    EXPECT_EQ(result.error_lines() == 2, result.err.find("\nhint: ") != std::string::npos) << result.err;
    for (const std::string& word : GetParam().words) EXPECT_NE(result.err.find(word), std::string::npos) << result.err;
    EXPECT_EQ(list_files(tiny.folder.path(), true), before);
}

std::string checkpoint_data(const std::string& name) { return std::string(DDPM_TEST_DATA_DIR) + "/checkpoint/" + name; }

std::vector<Case> cases() {
    const auto train_with = [](const std::string& assignment, std::vector<std::string> words) {
        return Case{{"train", "--config", "tiny.json", "--set", assignment}, std::move(words)};
    };
    return {
        {{}, {"which verb", "train", "sample"}},
        {{"trian"}, {"unknown verb \"trian\"", "did you mean \"train\""}},
        {{"--versoin"}, {"--versoin", "--version"}},
        {{"train"}, {"--config"}},
        {{"train", "--config", "none.json"}, {"none.json", "No such file"}},
        {{"train", "--config", "."}, {"folder"}},
        {{"train", "--config", "tiny.json", "--reusme"}, {"--reusme", "did you mean --resume"}},
        {{"train", "--config", "tiny.json", "extra"}, {"unexpected argument \"extra\""}},
        {{"train", "--config", "tiny.json", "--resume", "--overwrite"}, {"contradict"}},
        {{"train", "--config", "tiny.json", "--threads", "0"}, {"--threads"}},
        {{"train", "--config", "tiny.json", "--kernels", "fats"}, {"--kernels", "fats", "did you mean \"fast\""}},
        {{"train", "--config", "tiny.json", "--device", "tpu"}, {"--device", "\"tpu\"", "cuda"}},
        {{"train", "--config", "tiny.json", "--quiet", "--verbose"}, {"contradict"}},
        {{"train", "--config", "tiny.json", "--threads", "1", "--threads", "2"}, {"--threads", "given 2 times", "once"}},
        {{"train", "--config"}, {"--config", "expected a value"}},
        {{"train", "--config", "--out", "x"}, {"--config: expected a value after it, got the flag --out"}},
        {{"train", "--config", "--resume"}, {"--config: expected a value after it, got the flag --resume"}},
        train_with("train.stepz=1", {"--set", "train.stepz", "train.steps"}),
        train_with("train.steps", {"--set", "section.key=value"}),
        train_with("train.steps=0", {"--set train.steps", "got 0", "≥ 1"}),
        train_with("train.steps=many", {"--set train.steps", "\"many\"", "integer"}),
        train_with("train.precision=fp16", {"train.precision", "fp32, bf16"}),
        train_with("model.block_out_channels=[8,-1]", {"model.block_out_channels[1]", "-1"}),
        train_with("model.attention_resolutions=[5]", {"model.attention_resolutions", "5"}),
        train_with("model.norm_num_groups=3", {"model.norm_num_groups", "3"}),
        train_with("dataset.image_size=9", {"tiny.json", "9"}),
        train_with("dataset.type=shape", {"dataset.type", "did you mean \"shapes\""}),
        train_with("diffusion.schedule=cosin", {"diffusion.schedule", "cosine"}),
        train_with("diffusion.zero_terminal_snr=true", {"zero_terminal_snr", "epsilon"}),
        train_with("train.class_dropout=0.1", {"train.class_dropout", "num_class_embeds"}),
        train_with("sample.steps=51", {"51", "50"}),
        {{"train", "--config", "tiny.json", "--set", "diffusion.schedule=linear", "--set", "diffusion.timesteps=20"},
         {"diffusion", "20"}},
        {{"train", "--config", "tiny.json", "--set", "model.num_class_embeds=5"}, {"model.num_class_embeds", "10"}},
        {{"sample"}, {"--ckpt"}},
        {{"sample", "--ckpt", "none"}, {"none"}},
        {{"sample", "--ckpt", "."}, {"."}},
        {{"sample", "--ckpt", "none", "--n", "0"}, {"--n"}},
        {{"sample", "--ckpt", "none", "--sampler", "dimm"}, {"dimm", "ddim"}},
        {{"sample", "--ckpt", "none", "--eta", "2"}, {"--eta"}},
        {{"sample", "--ckpt", "none", "--weights", "best"}, {"--weights", "ema, raw"}},
        {{"compare"}, {"which checkpoint"}},
        {{"compare", "--ckpt", "none"}, {"none"}},
        {{"eval"}, {"eval", "one of bpd"}},
        {{"eval", "--n", "3"}, {"one of bpd"}},
        {{"eval", "pbd"}, {"unknown evaluation \"pbd\"", "bpd"}},
        {{"eval", "bpd"}, {"--ckpt"}},
        {{"eval", "bpd", "--ckpt", "none"}, {"none"}},
        {{"eval", "bpd", "extra"}, {"unexpected argument \"extra\"", "ddpm eval bpd --help"}},
        {{"eval", "bpd", "--ckpt", "none", "--stepzs", "3"}, {"--stepzs", "did you mean --steps"}},
        {{"eval", "bpd", "--ckpt", "none", "--n", "0"}, {"--n"}},
        {{"eval", "bpd", "--ckpt", "none", "--cdf", "erf"}, {"--cdf", "exact, tanh"}},
        {{"eval", "bpd", "--ckpt", "none", "--variance", "small"}, {"small", "fixed_small"}},
        {{"eval", "bpd", "--ckpt", "none", "--csv", "no/b.csv"}, {"--csv", "no"}},
        {{"eval", "bpd", "--ckpt", "none", "--plot", "no/b.png"}, {"--plot", "no"}},
        {{"noise-preview"}, {"which picture"}},
        {{"noise-preview", "none.png"}, {"none.png", "No such file"}},
        {{"noise-preview", "tiny.json"}, {"tiny.json"}},
        {{"noise-preview", "none.png", "--method", "naiv"}, {"naive"}},
        {{"noise-preview", "none.png", "--timesteps", "5,1000"}, {"--timesteps", "1000", "999"}},
        {{"noise-preview", "none.png", "--compare", "--schedule", "cosine"}, {"--compare"}},
        {{"schedule", "cosin"}, {"cosin", "cosine"}},
        {{"schedule", "--timesteps", "1"}, {"1"}},
        {{"schedule", "--plot", "none/s.png"}, {"--plot", "none"}},
        {{"schedule", "--csv", "."}, {"--csv", "folder"}},
        {{"schedule", "--plot", "s.jpg"}, {"--plot", "s.jpg", "ends in .png"}},
        {{"sample", "--ckpt", "none", "--grid", "no/g.png"}, {"--grid", "no"}},
        {{"data", "tiny.json", "--sheet", "no/s.png"}, {"--sheet", "no"}},
        {{"noise-preview", "none.png", "--out", "no/s.png"}, {"--out", "no"}},
        {{"info"}, {"info"}},
        {{"info", "none"}, {"none"}},
        {{"train", "--config", "tiny.json", "--init-from", "none"}, {"none: not found"}},
        {{"train", "--config", "tiny.json", "--init-from", "tiny.json"}, {"tiny.json: is a file"}},
        {{"sample", "--ckpt", checkpoint_data("nested.pt")}, {"nested.pt: is a file", "ddpm convert"}},
        {{"convert"}, {"from what, to what"}},
        {{"convert", "tiny.json"}, {"from what, to what"}},
        {{"convert", "none", "out"}, {"none: not found"}},
        {{"convert", "none.pt", "out", "--from", "open"}, {"--from", "openai"}},
        {{"convert", "none.pt", "out", "--to", "zip"}, {"--to", "diffusers, safetensors"}},
        {{"convert", "none.pt", "out", "--dtype", "fp8"}, {"--dtype", "fp32, fp16, bf16"}},
        {{"convert", "none.pt", "out", "--to", "safetensors"}, {"out", "ends in .safetensors"}},
        {{"convert", "none.pt", "out.safetensors", "--to", "diffusers"}, {"out.safetensors", "expected a folder's"}},
        {{"convert", "none.pt", "tiny.json", "--to", "diffusers"}, {"tiny.json: is a file"}},
        {{"convert", "none.pt", "out", "--set", "image_size"}, {"--set", "key=value"}},
        {{"convert", "none.pt", "out", "--config", "none.json"}, {"none.json"}},
        {{"convert", ".", "out", "--from", "openai"}, {"is a folder"}},
        {{"convert", ".", "out", "--set", "image_size=8"}, {"--set image_size", "says everything itself"}},
        {{"convert", checkpoint_data("nested.pt"), "out"}, {"nested.pt", "not those of a network that is known here"}},
        {{"convert", checkpoint_data("code.pt"), "out"}, {"code.pt", "posix.system", "no code is run"}},
        {{"convert", checkpoint_data("old_format.pt"), "out"}, {"old_format.pt", "not those of a network that is known here"}},
        {{"info", checkpoint_data("code.pt")}, {"posix.system"}},
        {{"data"}, {"which data set"}},
        {{"data", "none"}, {"none"}},
        {{"data", "."}, {"."}},
        {{"config", "train.step"}, {"train.steps"}},
        {{"completion", "fish"}, {"fish", "bash"}},
        {{"completion"}, {"bash or zsh"}},
        {{"--quiet"}, {"which verb"}},
        {{"--config", "tiny.json", "train"}, {"--config", "after the verb"}},
        {{"train", "--config", "tiny.json", "--out", ""}, {"--out", "empty"}},
        {{"train", "--config", "tiny.json", "--threads", "1e3"}, {"--threads", "1e3", "1 … 4096"}},
        {{"sample", "--ckpt", "none", "--seed", "99999999999999999999"}, {"--seed", "99999999999999999999"}},
        {{"sample", "--ckpt", "none", "--eta", "nan"}, {"--eta", "nan", "0 … 1"}},
        {{"sample", "--ckpt", "none", "--grid", "x.png", "--trajectory", "./x.png"}, {"--grid", "--trajectory", "same file"}},
        {{"schedule", "--csv", "/dev/null"}, {"--csv", "/dev/null", "device"}},
        {{"schedule", "--timesteps", "many"}, {"--timesteps", "many"}},
        train_with("model.class_embed_type=identity", {"class_embed_type", "identity"}),
        train_with("model.time_embedding_type=fourier", {"time_embedding_type", "fourier", "not trained"}),
        {{"train", "--config", "tiny.json", "--set", "model.time_embedding_type=learned", "--set", "model.num_train_timesteps=20"},
         {"num_train_timesteps", "20 rows", "50"}},
        train_with("model.out_channels=6", {"out_channels", "diffusion.variance_type learned_range"}),
        train_with("model.class_embed_type=timestep", {"class_embed_type", "num_class_embeds"}),
    };
}

INSTANTIATE_TEST_SUITE_P(All, Mistakes, testing::ValuesIn(cases()), [](const auto& info) {
    std::string name = std::to_string(info.index);
    for (const std::string& argument : info.param.arguments)
        for (char c : "_" + argument) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
    return name;
});

TEST(Mistakes, ConfigurationFilesAreNamed) {
    const Tiny tiny(R"({"train": {"step": 3}})");
    const ProcessResult result = tiny.train();
    EXPECT_EQ(result.code, 2);
    EXPECT_EQ(result.err.rfind("error: tiny.json: train: unknown key \"step\"; did you mean \"steps\"?", 0), 0u) << result.err;
}

// A place where nobody can make a file is the user's mistake, for every verb alike.
TEST(Failures, AFolderThatCannotBeWrittenIsOneLine) {
    const Tiny tiny;
    const ProcessResult result = tiny.run({"schedule", "linear", "--csv", "/proc/x.csv"});
    EXPECT_EQ(result.code, 2);
    EXPECT_EQ(result.error_lines(), 1) << result.err;
    EXPECT_NE(result.err.find("/proc/x.csv"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace ddpm
