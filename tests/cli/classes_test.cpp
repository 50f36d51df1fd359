// Classes that come, go and change their place between a model and the pictures.

#include <algorithm>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "cli/tiny.h"
#include "ddpm/checkpoint/safetensors.h"
#include "ddpm/image/codec.h"

namespace ddpm {
namespace {

using Names = std::vector<std::string>;

// A run of a step on a folder of pictures, a class a subfolder.
struct Classes : Tiny {
    Classes()
        : Tiny(
              R"({"dataset": {"type": "image_folder", "path": "d"}, "model": {"block_out_channels": [8], "attention_resolutions": []},
                   "train": {"steps": 1, "sample_images": 0}})") {}

    void make(const std::string& at, const Names& names) const {
        fs::remove_all(folder / at);
        for (const std::string& name : names) {
            make_folders(folder / at / name);
            write_file(folder / at / name / "x.pgm", "P5 1 1 255\n1");
        }
    }
    ProcessResult begin(const std::string& run, const Names& names, int64_t rows, std::vector<std::string> more = {}) const {
        make("d", names);
        more.insert(more.end(), {"--out", run, "--set", "model.num_class_embeds=" + std::to_string(rows)});
        return train(more);
    }
    // The table of a checkpoint's EMA weights.
    at::Tensor table(const std::string& run, int64_t step) const {
        for (const auto& [name, tensor] :
             read_safetensors(folder / step_folder(step, run) / "unet/diffusion_pytorch_model.safetensors"))
            if (name == "class_embedding.weight") return tensor;
        return {};
    }
};

int64_t place(const Names& names, const std::string& name) { return std::find(names.begin(), names.end(), name) - names.begin(); }

// Every class that both know keeps its row, wherever it stands now; a new one begins as in a run from the seed.
TEST(Classes, InitFromGoesByName) {
    const Names old{"ant", "cat", "dog"};
    struct Case {
        Names names;
        int64_t rows;
        const char* said;  // empty: nothing is said, for nothing changes
    };
    const Case cases[] = {
        {{"ant", "cat", "dog"}, 4, ""},
        {{"ant", "bee", "cat", "dog"}, 4, "classes by name: ant, cat, dog; new, from the seed: bee\n"},
        {{"ant", "bee", "cat", "dog"}, 9, "classes by name: ant, cat, dog; new, from the seed: bee\n"},
        {{"aardvark", "ant", "cat", "dog"}, 4, "new, from the seed: aardvark\n"},
        {{"ant", "cat", "dog", "yak"}, 5, "new, from the seed: yak\n"},
        {{"ant", "dog"}, 4, "classes by name: ant, dog; left behind: cat\n"},
        {{"cat", "dog"}, 2, "classes by name: cat, dog; left behind: ant\n"},
        {{"dog"}, 3, "left behind: ant, cat\n"},
        {{"ape", "cat", "emu"}, 4, "classes by name: cat; new, from the seed: ape, emu; left behind: ant, dog\n"},
        {{"0", "1", "2"},
         4,
         "warning: --init-from old: classes by name: none; new, from the seed: 0, 1, 2; left behind: ant, cat, dog\n"},
        {{"ant", "cat", "dog"}, 3, "classes by name: ant, cat, dog\n"},
    };
    const Classes tiny;
    ASSERT_EQ(tiny.begin("old", old, 4).code, 0);
    const at::Tensor before = tiny.table("old", 1);
    int number = 0;
    for (const Case& one : cases) {
        const std::string run = "new" + std::to_string(number++);
        SCOPED_TRACE(run);
        const ProcessResult result = tiny.begin(run, one.names, one.rows, {"--init-from", "old"});
        ASSERT_EQ(result.code, 0) << result.err;
        EXPECT_EQ(result.err.find("classes by") != std::string::npos, *one.said != 0) << result.err;
        EXPECT_NE(result.err.find(one.said), std::string::npos) << result.err;
        const at::Tensor after = tiny.table(run, 0);
        ASSERT_EQ(after.size(0), one.rows);
        for (size_t i = 0; i < one.names.size(); ++i) {
            const int64_t row = static_cast<int64_t>(i), origin = place(old, one.names[i]);
            if (origin < 3) {
                EXPECT_TRUE(at::equal(after[row], before[origin])) << one.names[i];
            } else {
                // The old model's row of the same number began with the same numbers.
                for (int64_t other = 0; other < 4; ++other)
                    EXPECT_TRUE(other == row || !at::equal(after[row], before[other])) << one.names[i];
                EXPECT_GT(after[row].abs().max().item<double>(), 0.1) << one.names[i];
            }
        }
        EXPECT_NE(tiny.run({"info", run}).out.find("labels      " + fmt::format("{}", fmt::join(one.names, ", "))),
                  std::string::npos);
    }
}

TEST(Classes, InitFromKeepsTheEmptyLabelLast) {
    const Classes tiny;
    ASSERT_EQ(tiny.begin("old", {"ant", "cat"}, 3, {"--set", "train.class_dropout=0.5"}).code, 0);
    ASSERT_EQ(tiny.begin("none", {"ant", "cat"}, 3).code, 0);
    const ProcessResult result =
        tiny.begin("new", {"ant", "bee", "cat"}, 6, {"--init-from", "old", "--set", "train.class_dropout=0.5"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_TRUE(at::equal(tiny.table("new", 0)[5], tiny.table("old", 1)[2]));
    const ProcessResult fresh =
        tiny.begin("fresh", {"ant", "bee", "cat"}, 4, {"--init-from", "none", "--set", "train.class_dropout=0.5"});
    ASSERT_EQ(fresh.code, 0) << fresh.err;
    EXPECT_NE(fresh.err.find("new, from the seed: bee, the empty label\n"), std::string::npos) << fresh.err;
    EXPECT_FALSE(at::equal(tiny.table("fresh", 0)[3], tiny.table("none", 1)[2]));
}

// `ddpm convert` drops the names, so numbers are all that is left.
TEST(Classes, WithoutNamesNumbersAreNamesOrItIsRefused) {
    const Classes tiny;
    ASSERT_EQ(tiny.begin("old", {"ant", "cat", "dog"}, 3).code, 0);
    const ProcessResult converted = tiny.run({"convert", "old", "plain"});
    ASSERT_EQ(converted.code, 0) << converted.err;
    EXPECT_NE(converted.err.find("--label takes their numbers: 0 for ant, 1 for cat, 2 for dog"), std::string::npos)
        << converted.err;
    const at::Tensor before = tiny.table("old", 1);
    ASSERT_EQ(tiny.begin("new", {"0", "2"}, 3, {"--init-from", "plain"}).code, 0);
    EXPECT_TRUE(at::equal(tiny.table("new", 0)[0], before[0]));
    EXPECT_TRUE(at::equal(tiny.table("new", 0)[1], before[2]));
    for (const Names& names : {Names{"ant", "cat", "dog"}, Names{"0", "3"}, Names{"0", "1", "x"}}) {
        const ProcessResult result = tiny.begin("refused", names, 4, {"--init-from", "plain"});
        EXPECT_EQ(result.code, 2) << result.err;
        EXPECT_NE(result.err.find("--init-from plain: the model knows its classes by number alone, 0 … 2"), std::string::npos)
            << result.err;
        EXPECT_FALSE(tiny.exists("refused"));
        const ProcessResult eval = tiny.run({"eval", "bpd", "--ckpt", "plain", "--data", "d"});
        EXPECT_EQ(eval.code, 2) << eval.err;
        EXPECT_NE(eval.err.find("--data: the model knows its classes by number alone"), std::string::npos) << eval.err;
    }
    tiny.make("d", {"2", "0"});
    EXPECT_EQ(tiny.run({"eval", "bpd", "--ckpt", "plain", "--data", "d", "--steps", "2"}).code, 0);
    // Where the labels are the files' own, numbers are what they always were.
    const ProcessResult shapes = tiny.run({"train", "--config", "tiny.json", "--out", "shapes", "--init-from", "plain", "--set",
                                           "dataset.type=shapes", "--set", "dataset.path=", "--set", "model.num_class_embeds=10"});
    EXPECT_EQ(shapes.code, 2) << "seven of its ten classes are not in a table of three rows";
}

TEST(Classes, ASampleSaysWhichClassItIs) {
    const Classes tiny;
    const ProcessResult trained = tiny.begin("run", {"1", "10", "2", "näme"}, 6);
    ASSERT_EQ(trained.code, 0) << trained.err;
    EXPECT_NE(trained.err.find("classes are numbered in the order of their names: label 0 is class \"1\""), std::string::npos)
        << trained.err;
    const auto text_of = [&](const std::string& file, const std::string& key) -> std::string {
        for (const auto& [name, value] : read_png_text(tiny.folder / file))
            if (name == key) return value;
        return "none";
    };
    for (const auto& [label, row, name] : std::vector<std::tuple<std::string, std::string, std::string>>{
             {"1", "0", "1"}, {"10", "1", "10"}, {"2", "2", "2"}, {"näme", "3", "näme"}}) {
        const std::string out = "out-" + row;
        const ProcessResult result =
            tiny.run({"sample", "--ckpt", "run", "--n", "1", "--label", label, "--out", out, "--grid", "grid.png"});
        ASSERT_EQ(result.code, 0) << result.err;
        EXPECT_NE(result.err.find(", class \"" + name + "\", "), std::string::npos) << result.err;
        for (const std::string& file : {out + "/000000.png", std::string("grid.png")}) {
            EXPECT_EQ(text_of(file, "label"), row);
            EXPECT_EQ(text_of(file, "class"), name);
        }
    }
    for (const char* label : {"0", "3", "5", "nobody"}) {
        const ProcessResult result = tiny.run({"sample", "--ckpt", "run", "--n", "1", "--label", label, "--out", "refused"});
        EXPECT_EQ(result.code, 2) << result.err;
        EXPECT_NE(result.err.find("--label: unknown class \"" + std::string(label) + "\""), std::string::npos) << result.err;
    }
    const ProcessResult all = tiny.run({"sample", "--ckpt", "run", "--n", "5", "--out", "all"});
    EXPECT_NE(all.err.find(", 4 classes in turn, "), std::string::npos) << all.err;
    for (const auto& [file, name] : {std::pair{"all/000001.png", "10"}, {"all/000003.png", "näme"}, {"all/000004.png", "1"}})
        EXPECT_EQ(text_of(file, "class"), name);
    // A row that names no class, and a network without names.
    ASSERT_EQ(tiny.begin("animals", {"ant", "cat"}, 3).code, 0);
    const ProcessResult empty = tiny.run({"sample", "--ckpt", "animals", "--n", "1", "--label", "2", "--out", "empty"});
    EXPECT_NE(empty.err.find(", label 2, "), std::string::npos) << empty.err;
    EXPECT_EQ(text_of("empty/000000.png", "class"), "none");
}

// The folder of the network within a checkpoint is the checkpoint: the names of its classes lie beside it.
TEST(Classes, TheNetworkOfACheckpointKeepsItsNames) {
    const Classes tiny;
    ASSERT_EQ(tiny.begin("old", {"0", "1", "10", "2"}, 4).code, 0);
    for (const char* ending : {"", "/", "/unet", "/unet/"}) {
        const std::string named = step_folder(1, "old") + ending;
        const ProcessResult drawn =
            tiny.run({"sample", "--ckpt", named, "--n", "1", "--label", "2", "--out", "two", "--overwrite"});
        EXPECT_EQ(drawn.code, 0) << drawn.err;
        EXPECT_NE(drawn.err.find("class \"2\""), std::string::npos) << drawn.err;
        const ProcessResult begun = tiny.begin("new", {"0", "1", "2", "3"}, 4, {"--init-from", named, "--overwrite"});
        EXPECT_EQ(begun.code, 0) << begun.err;
        EXPECT_NE(begun.err.find("classes by name: 0, 1, 2; new, from the seed: 3; left behind: 10"), std::string::npos)
            << begun.err;
    }
}

}  // namespace
}  // namespace ddpm
