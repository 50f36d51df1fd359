#include <gtest/gtest.h>

#include "cli/tiny.h"
#include "ddpm/image/codec.h"

// Where results go: through links that lead to nothing, around what is not there, and never into what is somebody else's.

namespace ddpm {
namespace {

const Tiny& trained() {
    static const Trained tiny;
    return tiny;
}

// Every verb that makes something, and the name of what it makes.
struct Maker {
    std::vector<std::string> arguments;  // the last one is the target
    std::string file;                    // in it, or "" for the target itself
    std::string ending;
};

std::vector<Maker> makers() {
    write_png(trained().folder / "p.png", make_image(8, 8, 3, 100));
    return {
        {{"train", "--config", "tiny.json", "--set", "train.steps=1", "--out"}, "config.json", ""},
        {{"sample", "--ckpt", "runs/tiny", "--n", "1", "--steps", "2", "--out"}, "000000.png", ""},
        {{"compare", "--ckpt", "runs/tiny", "--n", "1", "--samplers", "ddim", "--steps", "2", "--out"}, "compare.json", ""},
        {{"convert", "runs/tiny"}, "model_index.json", ""},
        {{"convert", "runs/tiny"}, "", ".safetensors"},
        {{"schedule", "linear", "--csv"}, "", ".csv"},
        {{"schedule", "linear", "--plot"}, "", ".png"},
        {{"noise-preview", "p.png", "--T", "50", "--size", "16", "--out"}, "", ".png"},
        {{"data", "tiny.json", "--sheet"}, "", ".png"},
    };
}

ProcessResult make(const Maker& maker, const std::string& target) {
    std::vector<std::string> arguments = maker.arguments;
    arguments.push_back(target);
    return trained().run(arguments);
}

TEST(Targets, ALinkToNothingIsFilledWhereItLeads) {
    int number = 0;
    for (const Maker& maker : makers()) {
        const std::string real = "real" + std::to_string(++number) + maker.ending,
                          link = "link" + std::to_string(number) + maker.ending;
        fs::create_symlink(real, trained().folder / link);
        const ProcessResult result = make(maker, link);
        SCOPED_TRACE(maker.arguments.front() + ": " + result.err);
        EXPECT_EQ(result.code, 0);
        EXPECT_TRUE(fs::is_symlink(trained().folder / link));
        EXPECT_TRUE(trained().exists(maker.file.empty() ? fs::path(real) : fs::path(real) / maker.file));
    }
}

TEST(Targets, ACircleOfLinksIsRefused) {
    for (const Maker& maker : makers()) {
        for (const auto& [link, other] : {std::pair("a", "b"), std::pair("b", "a")}) {
            fs::remove(trained().folder / (link + maker.ending));
            fs::create_symlink(other + maker.ending, trained().folder / (link + maker.ending));
        }
        const ProcessResult result = make(maker, "a" + maker.ending);
        EXPECT_EQ(result.code, 2) << maker.arguments.front() << ": " << result.err;
        EXPECT_NE(result.err.find("round in a circle"), std::string::npos) << result.err;
    }
}

TEST(Targets, ADetourMakesNothingOnTheWay) {
    for (const Maker& maker : makers()) {
        if (maker.ending == ".csv" || maker.ending == ".png") continue;  // go only into folders that are there
        const ProcessResult result = make(maker, "x/../detour" + maker.ending);
        SCOPED_TRACE(maker.arguments.front() + ": " + result.err);
        EXPECT_EQ(result.code, 0);
        EXPECT_FALSE(trained().exists("x"));
        EXPECT_TRUE(trained().exists(maker.file.empty() ? fs::path("detour" + maker.ending)
                                                        : fs::path("detour" + maker.ending) / maker.file));
        fs::remove_all(trained().folder / ("detour" + maker.ending));
    }
}

TEST(Targets, SomebodysHalfMadeFolderIsNotTaken) {
    make_folders(trained().folder / ".own.partial");
    write_file(trained().folder / ".own.partial/thesis", "years of work");
    for (const Maker& maker : makers()) {
        if (maker.arguments.front() != "sample" && (maker.arguments.front() != "convert" || !maker.ending.empty())) continue;
        for (int times = 0; times < 2; ++times) {
            const ProcessResult result = make(maker, "own");
            EXPECT_EQ(result.code, 2) << result.err;
            EXPECT_NE(result.err.find(".own.partial: is in the way"), std::string::npos) << result.err;
            EXPECT_FALSE(trained().exists("own"));
            EXPECT_EQ(trained().bytes(".own.partial/thesis"), "years of work");
        }
    }
}

TEST(Targets, SomebodysHalfMadeFileIsNotTaken) {
    for (const Maker& maker : makers()) {
        if (maker.ending.empty()) continue;
        const std::string name = ".own" + maker.ending + ".partial";
        write_file(trained().folder / name, "years of work");
        const ProcessResult result = make(maker, "own" + maker.ending);
        EXPECT_EQ(result.code, 2) << result.err;
        EXPECT_NE(result.err.find(name + ": is in the way"), std::string::npos) << result.err;
        EXPECT_EQ(result.error_lines(), 1) << result.err;
        EXPECT_FALSE(trained().exists("own" + maker.ending));
        EXPECT_EQ(trained().bytes(name), "years of work");
    }
}

// One sentence for all verbs, with --overwrite and without.
TEST(Targets, WhatAVerbHasNotMadeIsNotReplaced) {
    make_folders(trained().folder / "thesis");
    write_file(trained().folder / "thesis/samples", "years of work");
    for (const Maker& maker : makers()) {
        if (maker.file.empty()) continue;
        const bool tells_existence_first = maker.arguments.front() == "convert";
        for (const bool overwrite : {true, false}) {
            Maker with = maker;
            if (overwrite) with.arguments.insert(with.arguments.begin() + 1, "--overwrite");
            const ProcessResult result = make(with, "thesis");
            EXPECT_EQ(result.code, 2) << result.err;
            if (overwrite || !tells_existence_first) {
                EXPECT_NE(result.err.find("and is not replaced, not even by --overwrite; "), std::string::npos) << result.err;
            }
            EXPECT_EQ(trained().bytes("thesis/samples"), "years of work");
        }
    }
}

}  // namespace
}  // namespace ddpm
