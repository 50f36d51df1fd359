// Names that are not UTF-8, or the same text in another normal form of Unicode: a run that begins can be gone on with.

#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "cli/tiny.h"
#include "ddpm/core/normal_form.h"
#include "ddpm/core/text.h"
#include "ddpm/image/codec.h"

namespace ddpm {
namespace {

const std::string kLatin = "caf\xe9", kEscaped = "caf\\xe9", kWhole = "über",
                  kApart =
                      "u\xcc\x88"
                      "ber";

std::string classes_config(int64_t classes) {
    return fmt::format(R"({{"dataset": {{"type": "image_folder", "path": "pictures"}}, "model": {{"num_class_embeds": {}}}}})",
                       classes);
}

void put_class(const Tiny& tiny, const std::string& name, uint8_t grey = 9) {
    make_folders(tiny.folder / "pictures" / name);
    write_png(tiny.folder / "pictures" / name / "1.png", make_image(8, 8, 3, grey));
}

Json labels_of(const Tiny& tiny, int64_t step) { return read_json_file(tiny.folder / step_folder(step) / "training/labels.json"); }

const std::vector<std::string> kLonger{"--resume", "--set", "train.steps=8"};

TEST(Names, ClassesThatAreNotUtf8CanBeGoneOnWith) {
    for (const std::string& name : {kLatin, std::string("\xff\xfe"), std::string("a\xc0\xaf"), std::string("\xed\xa0\x80z")}) {
        SCOPED_TRACE(text_of_name(name));
        const Tiny tiny(classes_config(2));
        put_class(tiny, name);
        put_class(tiny, "z");
        ASSERT_EQ(tiny.train().code, 0);
        const ProcessResult resumed = tiny.train(kLonger);
        EXPECT_EQ(resumed.code, 0) << resumed.err;
        EXPECT_EQ(labels_of(tiny, 8), labels_of(tiny, 6));
        for (const std::string& given : {name, text_of_name(name)})
            EXPECT_EQ(tiny.run({"sample", "--ckpt", "runs/tiny", "--n", "1", "--label", given, "--out", "s", "--overwrite"}).code,
                      0);
        const ProcessResult info = tiny.run({"info", "runs/tiny"});
        EXPECT_NE(info.out.find(text_of_name(name)), std::string::npos) << info.out;
        EXPECT_EQ(tiny.run({"eval", "bpd", "--ckpt", "runs/tiny", "--n", "1"}).code, 0);
    }
}

TEST(Names, InfoShowsControlCharactersEscaped) {
    const Tiny tiny(classes_config(2));
    put_class(tiny, "a\nb\x1b");
    put_class(tiny, "z");
    const ProcessResult trained = tiny.train({"--out", "r\xe9"});
    ASSERT_EQ(trained.code, 0) << trained.err;
    const ProcessResult info = tiny.run({"info", "r\xe9"});
    EXPECT_NE(info.out.find("labels      a\\nb\\x1b, z\n"), std::string::npos) << info.out;
    EXPECT_NE(info.out.find("ddpm sample --ckpt $'r\\xe9' --n 16"), std::string::npos) << info.out;
    EXPECT_TRUE(is_utf8(info.out));
}

TEST(Names, ClassesThatAreNotUtf8StayApart) {
    const Tiny tiny(classes_config(3));
    put_class(tiny, "caf\xe8");
    put_class(tiny, "caf\xe9");
    put_class(tiny, "caf\xef\xbf\xbd");  // U+FFFD itself
    ASSERT_EQ(tiny.train().code, 0);
    EXPECT_EQ(labels_of(tiny, 6), Json({"caf\\xe8", "caf\\xe9", "caf\uFFFD"}));
    EXPECT_EQ(tiny.train(kLonger).code, 0);
    // One that was renamed is another class.
    fs::rename(tiny.folder / "pictures/caf\xe9", tiny.folder / "pictures/caf\xea");
    EXPECT_EQ(tiny.train({"--resume", "--set", "train.steps=10"}).code, 2);
}

TEST(Names, ANormalFormIsNoOtherName) {
    for (const auto& [trained, now] : {std::pair(kApart, kWhole), std::pair(kWhole, kApart)}) {
        const Tiny tiny(classes_config(2));
        put_class(tiny, trained, 9);
        put_class(tiny, "v", 90);  // which comes before one spelling and after the other
        ASSERT_EQ(tiny.train().code, 0);
        const int64_t number = labels_of(tiny, 6)[0] == kWhole ? 0 : 1;
        EXPECT_EQ(labels_of(tiny, 6)[static_cast<size_t>(number)], kWhole);
        Image first;
        for (const std::string& label : {kApart, kWhole, std::to_string(number)}) {
            const ProcessResult drawn =
                tiny.run({"sample", "--ckpt", "runs/tiny", "--n", "1", "--label", label, "--out", "s", "--overwrite"});
            EXPECT_EQ(drawn.code, 0) << drawn.err;
            const Image picture = read_image(tiny.folder / "s/000000.png");
            if (first.pixels.empty()) first = picture;
            EXPECT_EQ(picture, first) << label;
        }
        fs::rename(tiny.folder / "pictures" / trained, tiny.folder / "pictures" / now);
        const ProcessResult resumed = tiny.train(kLonger);
        EXPECT_EQ(resumed.code, 0) << resumed.err;
        EXPECT_EQ(labels_of(tiny, 8), labels_of(tiny, 6)) << "the numbers are those of the run";
        EXPECT_EQ(tiny.run({"eval", "bpd", "--ckpt", "runs/tiny", "--n", "2"}).code, 0);
    }
}

// An older program has stored the name as the folder had it.
TEST(Names, OldLabelsInAnotherNormalFormAreRead) {
    const Tiny tiny(classes_config(2));
    put_class(tiny, kApart);
    put_class(tiny, "z");
    ASSERT_EQ(tiny.train().code, 0);
    const fs::path checkpoint = tiny.folder / step_folder(6) / "training";
    write_file(checkpoint / "labels.json", dump_json(Json({kApart, "z"})));
    Json counters = read_json_file(checkpoint / "counters.json");
    counters.erase("checksums");
    const Json whole = counters;
    for (const auto& item : whole.items())
        if (item.value().is_object() && item.value().contains("training/labels.json")) counters.erase(item.key());
    write_file(checkpoint / "counters.json", dump_json(counters));
    const ProcessResult resumed = tiny.train(kLonger);
    EXPECT_EQ(resumed.code, 0) << resumed.err;
    EXPECT_EQ(tiny.run({"sample", "--ckpt", "runs/tiny", "--n", "1", "--label", kWhole, "--out", "s"}).code, 0);
}

TEST(Names, TwoClassesOfOneTextAreRefusedWhereLabelsCount) {
    const std::vector<std::pair<std::string, std::string>> pairs = {{kApart, kWhole}, {kLatin, kEscaped}};
    for (const auto& [one, other] : pairs) {
        const Tiny tiny(classes_config(2));
        put_class(tiny, one);
        put_class(tiny, other);
        const ProcessResult refused = tiny.train();
        EXPECT_EQ(refused.code, 2);
        EXPECT_NE(refused.err.find("two classes are called"), std::string::npos) << refused.err;
        EXPECT_FALSE(tiny.exists("runs"));
        EXPECT_EQ(tiny.train({"--set", "model.num_class_embeds=null"}).code, 0);
    }
}

// Flags take any name; what is kept of them in JSON and PNG is UTF-8.
TEST(Names, EveryFlagTakesANameThatIsNotUtf8) {
    const Tiny tiny;
    const std::string run = "r\xe9", config = "c\xe9.json", here = run + "/checkpoints/step-000006";
    fs::rename(tiny.folder / "tiny.json", tiny.folder / config);
    const auto works = [&](std::vector<std::string> arguments) {
        const ProcessResult result = tiny.run(arguments);
        EXPECT_EQ(result.code, 0) << arguments[0] << ": " << result.err;
        return result;
    };
    works({"train", "--config", config, "--out", run});
    works({"train", "--config", config, "--out", run, "--resume", "--set", "train.steps=8"});
    works({"train", "--config", run + "/config.json", "--resume", "--set", "train.steps=10"});
    works({"train", "--config", config, "--init-from", run, "--out", "from\xe9"});
    works({"train", "--config", config, "--init-from", run, "--out", "from\xe9", "--resume", "--set", "train.steps=8"});
    const Json counters = read_json_file(tiny.folder / "from\xe9/checkpoints/step-000008/training/counters.json");
    EXPECT_EQ(counters.at("initial_weights"), "r\\xe9");
    works({"train", "--config", config});
    EXPECT_TRUE(tiny.exists("runs/c\xe9/config.json"));
    works({"sample", "--ckpt", run, "--n", "1", "--out", "s\xe9", "--grid", "g\xe9.png"});
    for (const char* file : {"s\xe9/000000.png", "g\xe9.png"})
        for (const auto& [key, value] : read_png_text(tiny.folder / file)) {
            EXPECT_TRUE(is_utf8(value)) << key;
            if (key == "checkpoint") {
                EXPECT_EQ(value.rfind("r\\xe9/", 0), 0u) << value;
            }
        }
    works({"eval", "bpd", "--ckpt", run, "--n", "1", "--plot", "p\xe9.png", "--csv", "p\xe9.csv"});
    works({"info", run});
    works({"info", "--verify", run});
    works({"convert", run, "m\xe9"});
    works({"sample", "--ckpt", "m\xe9", "--n", "1", "--out", "s2", "--steps", "5"});
    works({"noise-preview", "g\xe9.png", "--T", "50", "--out", "n\xe9.png"});
}

TEST(Names, APathThatNoConfigurationCanHoldIsRefusedBeforeTheRun) {
    const Tiny tiny(R"({"dataset": {"type": "image_folder", "path": "pictures"}})");
    put_class(tiny, "a");
    fs::rename(tiny.folder / "pictures", tiny.folder / kLatin);
    const ProcessResult refused = tiny.train({"--set", "dataset.path=" + kLatin});
    EXPECT_EQ(refused.code, 2);
    EXPECT_NE(refused.err.find("--set dataset.path: got \"caf\\xe9\", which is not UTF-8"), std::string::npos) << refused.err;
    EXPECT_FALSE(tiny.exists("runs"));
    // By a link it goes.
    fs::create_directory_symlink(kLatin, tiny.folder / "pictures");
    EXPECT_EQ(tiny.train().code, 0);
    EXPECT_EQ(tiny.train(kLonger).code, 0);
}

}  // namespace
}  // namespace ddpm
