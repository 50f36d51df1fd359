#include <sstream>

#include <gtest/gtest.h>

#include "cli/tiny.h"
#include "ddpm/image/codec.h"

namespace ddpm {
namespace {

// One trained run for all tests of this file.
const Tiny& trained() {
    static const Trained tiny;
    return tiny;
}

ProcessResult bpd(std::vector<std::string> more) {
    more.insert(more.begin(), {"eval", "bpd", "--ckpt", "runs/tiny"});
    return trained().run(more);
}

// The number behind a word of the summary.
double number(const std::string& out, const std::string& word) {
    const size_t at = out.find(word);
    EXPECT_NE(at, std::string::npos) << out;
    return at == std::string::npos ? -1 : std::stod(out.substr(at + word.size()));
}

std::vector<std::vector<double>> rows_of(const std::string& csv, std::string* header) {
    std::istringstream lines(csv);
    std::getline(lines, *header);
    std::vector<std::vector<double>> rows;
    for (std::string line; std::getline(lines, line);) {
        rows.emplace_back();
        std::istringstream row(line);
        for (std::string cell; std::getline(row, cell, ',');) rows.back().push_back(std::stod(cell));
    }
    return rows;
}

TEST(EvalBpd, TheTermsOfTheCsvAddUpToTheTotal) {
    const ProcessResult result = bpd({"--n", "6", "--csv", "bpd.csv", "--plot", "bpd.png"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("6 of 100 pictures"), std::string::npos) << result.err;
    EXPECT_NE(result.out.find("6 images"), std::string::npos) << result.out;
    std::string header;
    const auto rows = rows_of(trained().bytes("bpd.csv"), &header);
    EXPECT_EQ(header, "t,vb,x_start_mse,eps_mse");
    ASSERT_EQ(rows.size(), 50u);
    double sum = number(result.out, "prior");
    for (size_t t = 0; t < rows.size(); ++t) {
        EXPECT_EQ(rows[t].size(), 4u);
        EXPECT_EQ(rows[t][0], static_cast<double>(t));
        EXPECT_GE(rows[t][1], 0);
        sum += rows[t][1];
    }
    EXPECT_NEAR(number(result.out, "total"), sum, 1e-4 * sum);
    EXPECT_NEAR(number(result.out, "L_0"), rows[0][1], 1e-4);
    // The last convolution began as zero, and six steps moved it little. So ε̂ ≈ 0, with a squared error of 1, which clipping x̂_0
    // reduces.
    EXPECT_GT(rows[25][3], 0.1);
    EXPECT_LT(rows[25][3], 1.1);
    EXPECT_EQ(probe_image(trained().folder / "bpd.png").format, "PNG");
}

TEST(EvalBpd, FollowsFromTheSeedWhateverTheBatch) {
    const std::string whole = bpd({"--n", "5", "--csv", "a.csv"}).out;
    EXPECT_EQ(bpd({"--n", "5", "--csv", "again.csv"}).out, whole);
    EXPECT_EQ(trained().bytes("a.csv"), trained().bytes("again.csv"));
    ASSERT_EQ(bpd({"--n", "5", "--batch", "2", "--csv", "b.csv"}).code, 0);
    std::string header;
    const auto a = rows_of(trained().bytes("a.csv"), &header), b = rows_of(trained().bytes("b.csv"), &header);
    for (size_t t = 0; t < a.size(); ++t)
        for (size_t column = 1; column < 4; ++column) EXPECT_NEAR(a[t][column], b[t][column], 1e-4 * (1 + a[t][column]));
    EXPECT_NE(bpd({"--n", "5", "--seed", "1"}).out, whole);
    EXPECT_NE(bpd({"--n", "5", "--weights", "raw"}).out, whole);
    EXPECT_NE(bpd({"--n", "5", "--variance", "fixed_large"}).out, whole);
    EXPECT_NE(bpd({"--n", "5", "--cdf", "tanh"}).out, whole);
}

// Dropping terms t makes a coarser chain, whose bound is higher, and keeps t = 0 and T − 1.
TEST(EvalBpd, FewerStepsKeepBothEnds) {
    const ProcessResult result = bpd({"--n", "3", "--steps", "7", "--csv", "few.csv"});
    ASSERT_EQ(result.code, 0) << result.err;
    std::string header;
    const auto rows = rows_of(trained().bytes("few.csv"), &header);
    ASSERT_EQ(rows.size(), 7u);
    EXPECT_EQ(rows.front()[0], 0);
    EXPECT_EQ(rows.back()[0], 49);
    EXPECT_EQ(bpd({"--steps", "51"}).code, 2);
    const ProcessResult one = bpd({"--n", "1", "--steps", "7"});
    EXPECT_NE(one.out.find("unknown"), std::string::npos) << one.out;
}

TEST(EvalBpd, TakesOtherDataOfTheSameSize) {
    const Tiny& tiny = trained();
    make_folders(tiny.folder / "pictures");
    for (int i = 0; i < 3; ++i)
        write_png(tiny.folder / "pictures" / (std::to_string(i) + ".png"), make_image(20, 30, 3, static_cast<uint8_t>(90 * i)));
    const ProcessResult folder = bpd({"--data", "pictures"});
    ASSERT_EQ(folder.code, 0) << folder.err;
    EXPECT_NE(folder.out.find("3 images"), std::string::npos) << folder.out;
    ASSERT_EQ(bpd({"--data", "tiny.json", "--n", "4"}).code, 0);
    write_file(tiny.folder / "large.json", R"({"dataset": {"image_size": 16}})");
    const ProcessResult large = bpd({"--data", "large.json"});
    EXPECT_EQ(large.code, 2);
    EXPECT_NE(large.err.find("16x16"), std::string::npos) << large.err;
    const ProcessResult split = bpd({"--split", "test"});
    EXPECT_EQ(split.code, 2);
    EXPECT_NE(split.err.find("--split"), std::string::npos) << split.err;
}

TEST(EvalBpd, APipelineWithoutTrainingNeedsData) {
    const Tiny& tiny = trained();
    fs::copy(tiny.folder / step_folder(6), tiny.folder / "pipeline", fs::copy_options::recursive);
    fs::remove_all(tiny.folder / "pipeline/training");
    const ProcessResult without = tiny.run({"eval", "bpd", "--ckpt", "pipeline"});
    EXPECT_EQ(without.code, 2);
    EXPECT_NE(without.err.find("--data"), std::string::npos) << without.err;
    EXPECT_EQ(tiny.run({"eval", "bpd", "--ckpt", "pipeline", "--data", "tiny.json", "--n", "2"}).code, 0);
}

TEST(EvalBpd, GivesTheNetworkItsLabels) {
    const Tiny tiny(R"({"model": {"num_class_embeds": 10}, "train": {"steps": 1}})");
    ASSERT_EQ(tiny.train().code, 0);
    ASSERT_EQ(tiny.run({"eval", "bpd", "--ckpt", "runs/tiny", "--n", "3"}).code, 0);
    make_folders(tiny.folder / "pictures");
    write_png(tiny.folder / "pictures/0.png", make_image(8, 8, 3, 7));
    const ProcessResult unlabelled = tiny.run({"eval", "bpd", "--ckpt", "runs/tiny", "--data", "pictures"});
    EXPECT_EQ(unlabelled.code, 2);
    EXPECT_NE(unlabelled.err.find("labels"), std::string::npos) << unlabelled.err;
}

}  // namespace
}  // namespace ddpm
