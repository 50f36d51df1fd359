#include <algorithm>
#include <cmath>
#include <csignal>
#include <map>

#include <gtest/gtest.h>

#include "cli/tiny.h"
#include "ddpm/checkpoint/safetensors.h"
#include "ddpm/core/text.h"
#include "ddpm/image/codec.h"

namespace ddpm {
namespace {

// One trained run for all tests of this file; its schedule has 50 timesteps.
const Tiny& trained() {
    static const Trained tiny;
    return tiny;
}

ProcessResult compare(std::vector<std::string> more, const std::string& checkpoint = "runs/tiny") {
    more.insert(more.begin(), {"compare", "--ckpt", checkpoint, "--n", "6"});
    return trained().run(more);
}

Json json_of(const std::string& folder) { return read_json_file(trained().folder / folder / "compare.json"); }

using Rows = std::vector<std::map<std::string, std::string>>;

// The lines of compare.csv by the names of its columns.
Rows csv_of(const std::string& folder) {
    std::vector<std::string> lines = split(trained().bytes(folder + "/compare.csv"), '\n');
    EXPECT_EQ(lines.back(), "") << "the file ends with a line break";
    lines.pop_back();
    const std::vector<std::string> names = split(lines.front(), ',');
    Rows rows;
    for (size_t i = 1; i < lines.size(); ++i) {
        const std::vector<std::string> fields = split(lines[i], ',');
        EXPECT_EQ(fields.size(), names.size()) << lines[i];
        std::map<std::string, std::string> row;
        for (size_t k = 0; k < names.size(); ++k) row[names[k]] = fields[k];
        rows.push_back(std::move(row));
    }
    return rows;
}

// The same without what a clock decides.
Json without_seconds(Json json) {
    json["reference"].erase("seconds");
    for (Json& reference : json["references"]) reference.erase("seconds");
    for (Json& cell : json["cells"]) cell.erase("seconds");
    return json;
}

TEST(Compare, WritesTablesThatAgree) {
    const ProcessResult result = compare({"--samplers", "ddim,euler_a,unipc:timestep_spacing=exponential,heun", "--steps", "5,50",
                                          "--seed", "3", "--data", "tiny.json", "--out", "tables"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(list_files(trained().folder / "tables", true).size(), 5u);
    const Json json = json_of("tables");
    EXPECT_EQ(json["format"], "ddpm compare");
    EXPECT_EQ(json["version"], 1);
    EXPECT_EQ(json["seed"], 3);
    EXPECT_EQ(json["n"], 6);
    EXPECT_EQ(json["data"]["pictures"], 12);
    EXPECT_GT(json["data"]["floor"].get<double>(), 0);
    EXPECT_EQ(json["reference"]["sampler"], "unipc");
    EXPECT_EQ(json["reference"]["steps"], 50) << "all that the schedule has";
    const Rows rows = csv_of("tables");
    ASSERT_EQ(rows.size(), 8u);
    ASSERT_EQ(json["cells"].size(), 8u);
    for (size_t i = 0; i < rows.size(); ++i) {
        const Json& cell = json["cells"][i];
        for (const char* name : {"row", "sampler", "spacing"}) EXPECT_EQ(rows[i].at(name), cell[name].get<std::string>());
        for (const char* name : {"steps", "evaluations", "reference"}) EXPECT_EQ(rows[i].at(name), cell[name].dump());
        for (const char* name : {"seconds", "distance", "distance_error", "law_distance", "data_distance", "eta"}) {
            const std::string& field = rows[i].at(name);
            EXPECT_EQ(field.empty(), cell[name].is_null()) << name;
            if (!field.empty()) {
                EXPECT_EQ(std::stod(field), cell[name].get<double>()) << name;
            }
        }
        EXPECT_EQ(cell["distance"].is_null(), cell["adds_noise"].get<bool>());
        EXPECT_TRUE(cell["finite"].get<bool>());
        EXPECT_GT(cell["data_distance"].get<double>(), 0);
    }
    EXPECT_EQ(rows[2].at("row"), "euler_a");
    EXPECT_EQ(rows[2].at("sampler"), "ddim");
    EXPECT_EQ(rows[2].at("eta"), "1");
    EXPECT_EQ(rows[6].at("evaluations"), "9") << "heun in 5 steps";
    EXPECT_EQ(rows[0].at("settings").rfind("eta=0;timestep_spacing=trailing", 0), 0u) << rows[0].at("settings");
    // The reference in another place: the same x_T, the same steps.
    EXPECT_EQ(json["cells"][5]["distance"], 0);
    EXPECT_GT(json["cells"][4]["distance"].get<double>(), 0);
    const std::string table = trained().bytes("tables/compare.md");
    EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 13);
    EXPECT_NE(table.find("| `heun` | 5 | 9 | "), std::string::npos) << table;
}

TEST(Compare, ASecondRunDiffersInSecondsAlone) {
    for (const char* out : {"first", "second"})
        ASSERT_EQ(compare({"--samplers", "ddim,ancestral", "--steps", "5,3", "--out", out}).code, 0);
    EXPECT_EQ(without_seconds(json_of("first")), without_seconds(json_of("second")));
    EXPECT_EQ(trained().bytes("first/error.png"), trained().bytes("second/error.png"));
    ASSERT_EQ(compare({"--samplers", "ddim,ancestral", "--steps", "5,3", "--batch", "4", "--out", "batches"}).code, 0);
    const Json whole = json_of("first"), parts = json_of("batches");
    for (size_t i = 0; i < 4; ++i)
        for (const char* name : {"distance", "law_distance"}) {
            const Json &one = whole["cells"][i][name], &other = parts["cells"][i][name];
            EXPECT_EQ(one.is_null(), other.is_null());
            if (!one.is_null()) {
                EXPECT_NEAR(other.get<double>() / one.get<double>(), 1, 0.01) << name;
            }
        }
}

TEST(Compare, TheSheetHasACellForEachPair) {
    ASSERT_EQ(compare({"--samplers", "ddim,heun", "--steps", "5,9", "--out", "two"}).code, 0);
    ASSERT_EQ(compare({"--samplers", "ddim,heun", "--steps", "5,9,7", "--out", "three"}).code, 0);
    const ImageHeader two = probe_image(trained().folder / "two/sheet.png"),
                      three = probe_image(trained().folder / "three/sheet.png");
    // Six pictures of 8×8, eight times as large, in three columns and two rows: 200×134.
    EXPECT_GT(two.width, 2 * 200);
    EXPECT_GT(two.height, 3 * 134) << "two samplers and the reference";
    EXPECT_EQ(two.height, three.height);
    EXPECT_GT(three.width, two.width);
    EXPECT_GT(three.width, 3 * 200);
    EXPECT_TRUE(is_made_by_ddpm(trained().folder / "two/error.png"));
}

TEST(Compare, FlagsHoldForTheRowsThatReadThem) {
    const ProcessResult result = compare({"--samplers", "ddim,unipc,unipc:order=1,heun:timestep_spacing=karras", "--steps", "5",
                                          "--order", "3", "--spacing", "linspace", "--rho", "5", "--no-clip", "--out", "flags"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("ddim does not read --order"), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("unipc does not read --rho"), std::string::npos) << result.err;
    const Json json = json_of("flags"), cells = json["cells"];
    EXPECT_EQ(cells[0]["unread_flags"], Json({"--order", "--rho"}));
    EXPECT_EQ(cells[1]["settings"]["order"], "3");
    EXPECT_EQ(cells[2]["settings"]["order"], "1") << "its own";
    EXPECT_EQ(cells[1]["spacing"], "linspace");
    EXPECT_EQ(cells[3]["spacing"], "karras");
    EXPECT_EQ(cells[3]["settings"]["rho"], "5");
    for (const Json& cell : cells) EXPECT_EQ(cell["settings"]["clip"], "none");
    EXPECT_EQ(json["reference"]["settings"]["clip"], "none") << "the same clipping";
    EXPECT_EQ(json["reference"]["settings"]["order"], "2");
    EXPECT_EQ(json["flags"]["order"], 3);
}

// Each row is measured beside the solution of the ODE that it solves.
TEST(Compare, GuidedRowsHaveAReferenceOfTheirOwn) {
    static const Tiny guided(R"({"model": {"num_class_embeds": 11}, "train": {"class_dropout": 0.2}})");
    ASSERT_EQ(guided.train().code, 0);
    const auto compared = [&](const std::string& out, std::vector<std::string> more) {
        more.insert(more.begin(), {"compare", "--ckpt", "runs/tiny", "--n", "4", "--out", out});
        const ProcessResult result = guided.run(more);
        EXPECT_EQ(result.code, 0) << result.err;
        return std::pair(result.err, read_json_file(guided.folder / out / "compare.json"));
    };
    const std::string solver = "timestep_spacing=exponential:guidance_scale=2";
    const auto [log, json] =
        compared("own", {"--samplers",
                         "ddim,heun:guidance_scale=2:guidance_interval=0.3..inf,unipc:" + solver + ",dpmpp_2m:guidance_scale=2",
                         "--steps", "5,50"});
    ASSERT_EQ(json["references"].size(), 3u);
    EXPECT_EQ(json["reference"], json["references"][0]);
    EXPECT_FALSE(json["references"][0]["settings"].contains("guidance_scale"));
    EXPECT_EQ(json["references"][1]["settings"]["guidance_interval"], "0.3,inf");
    EXPECT_EQ(json["references"][2]["settings"]["guidance_scale"], "2");
    std::vector<int64_t> beside;
    for (const Json& cell : json["cells"]) beside.push_back(cell["reference"]);
    EXPECT_EQ(beside, (std::vector<int64_t>{1, 1, 2, 2, 3, 3, 3, 3}));
    EXPECT_EQ(json["cells"][5]["distance"], 0) << "the reference in another place";
    EXPECT_NE(log.find("is measured beside reference 3, with clip=1, guidance_scale=2"), std::string::npos) << log;
    const std::string csv = guided.bytes("own/compare.csv"), table = guided.bytes("own/compare.md");
    for (const std::string& line : split(csv, '\n'))
        if (!line.empty()) {
            EXPECT_EQ(split(line, ',').size(), 13u) << line;
        }
    EXPECT_NE(csv.find(";guidance_interval=0.3..inf"), std::string::npos) << csv;
    EXPECT_NE(table.find("`dpmpp_2m:guidance_scale=2` is measured beside reference 3."), std::string::npos) << table;

    // Another network guides the rows that have a scale, and leaves the others alone.
    const auto [said, by_another] = compared(
        "guide", {"--samplers", "ddim,unipc:" + solver, "--steps", "5,50", "--guide-ckpt", "runs/tiny", "--weights", "raw"});
    EXPECT_EQ(by_another["references"].size(), 2u);
    EXPECT_TRUE(by_another["guide"].is_string());
    EXPECT_EQ(by_another["cells"][3]["distance"], 0);
}

TEST(Compare, FewRealPicturesAreWarnedOf) {
    write_file(trained().folder / "few.json", R"({"dataset": {"image_size": 8, "length": 8}})");
    const ProcessResult result = compare({"--samplers", "ddim", "--steps", "2", "--data", "few.json", "--out", "few"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("--data: holds 8 pictures, expected 12 (twice --n)"), std::string::npos) << result.err;
    EXPECT_EQ(json_of("few")["data"]["pictures"], 8);
}

TEST(Compare, OverwriteReplacesAComparisonAndNothingElse) {
    const std::vector<std::string> small{"--samplers", "ddim", "--steps", "2", "--reference-steps", "4", "--out", "o"};
    ASSERT_EQ(compare(small).code, 0);
    const ProcessResult refused = compare(small);
    EXPECT_EQ(refused.code, 2);
    EXPECT_NE(refused.err.find("--overwrite"), std::string::npos) << refused.err;
    std::vector<std::string> again = small;
    again.insert(again.end(), {"--overwrite", "--seed", "9"});
    ASSERT_EQ(compare(again).code, 0);
    EXPECT_EQ(json_of("o")["seed"], 9);
    EXPECT_EQ(json_of("o")["reference"]["steps"], 4);
    write_file(trained().folder / "o/thesis.txt", "years of work");
    EXPECT_EQ(compare(again).code, 2);
    EXPECT_EQ(trained().bytes("o/thesis.txt"), "years of work");
}

TEST(Compare, AStopLeavesNothing) {
    Process slow({DDPM_PROGRAM, "compare", "--ckpt", "runs/tiny", "--n", "5000", "--steps", "50", "--out", "slow"},
                 trained().folder.path());
    ASSERT_TRUE(slow.wait_for_error("5000 pictures by"));
    while (slow.alive() && !trained().exists(".slow.partial")) ::usleep(1000);
    slow.signal(SIGINT);
    const ProcessResult result = slow.wait();
    EXPECT_EQ(result.code, 130) << result.err;
    EXPECT_FALSE(trained().exists("slow"));
    EXPECT_FALSE(trained().exists(".slow.partial"));
}

// Weights that are finite, and so large that no answer of the network is.
TEST(Compare, NaNIsSaidAndDoesNotEndTheRest) {
    ASSERT_EQ(trained().run({"convert", "runs/tiny", "huge"}).code, 0);
    const fs::path file = trained().folder / "huge/unet/diffusion_pytorch_model.safetensors";
    NamedTensors tensors = read_safetensors(file);
    for (auto& [name, tensor] : tensors) tensor.fill_(1e30);
    write_safetensors(file, tensors);
    const ProcessResult result = compare({"--samplers", "ddim,ancestral", "--steps", "2,3", "--out", "nan"}, "huge");
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("ancestral in 3 steps: its pictures are not finite"), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("the reference is not finite"), std::string::npos) << result.err;
    const Json json = json_of("nan");
    const Rows rows = csv_of("nan");
    ASSERT_EQ(rows.size(), 4u);
    for (size_t i = 0; i < 4; ++i) {
        EXPECT_EQ(json["cells"][i]["finite"], false);
        EXPECT_TRUE(json["cells"][i]["distance"].is_null());
        EXPECT_TRUE(json["cells"][i]["law_distance"].is_null());
        EXPECT_EQ(rows[i].at("distance"), i < 2 ? "nan" : "") << "ancestral has none in any case";
        EXPECT_EQ(rows[i].at("law_distance"), "nan");
    }
    EXPECT_NE(trained().bytes("nan/compare.md").find("| nan |"), std::string::npos);
    EXPECT_EQ(probe_image(trained().folder / "nan/sheet.png").channels, 3);
}

}  // namespace
}  // namespace ddpm
