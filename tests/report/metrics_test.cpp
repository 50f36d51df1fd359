#include "ddpm/report/metrics.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <fstream>
#include <limits>

#include <sys/resource.h>

#include <gtest/gtest.h>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "support/captured_log.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

void write_steps(const fs::path& path, int64_t first, int64_t last, std::optional<int64_t> resume = {}) {
    MetricsWriter writer(path, resume);
    for (int64_t step = first; step <= last; ++step) writer.append({{"step", step}, {"loss", 1.0 / static_cast<double>(step)}});
}

std::vector<int64_t> steps(const fs::path& path) {
    std::vector<int64_t> all;
    for (const Json& line : read_metrics(path)) all.push_back(line.at("step"));
    return all;
}

TEST(Metrics, RoundTripEveryNumber) {
    TempFolder folder;
    write_steps(folder / "metrics.jsonl", 1, 3);
    const std::vector<Json> lines = read_metrics(folder / "metrics.jsonl");
    ASSERT_EQ(lines.size(), 3u);
    EXPECT_EQ(lines[2].at("loss").get<double>(), 1.0 / 3);
    EXPECT_EQ(read_file(folder / "metrics.jsonl", 1000).substr(0, 22), "{\"step\":1,\"loss\":1.0}\n");
}

TEST(Metrics, GiveTheirLossesAlone) {
    TempFolder folder;
    const fs::path path = folder / "metrics.jsonl";
    write_file(path, "{\"step\":1,\"loss\":0.5}\n{\"step\":1,\"heartbeat\":3}\n{\"loss\":1}\n{\"step\":2,\"loss\":null}\n{\"st");
    const std::vector<LossPoint> losses = read_losses(path);
    ASSERT_EQ(losses.size(), 2u);
    EXPECT_EQ(losses[0].step, 1);
    EXPECT_EQ(losses[0].loss, 0.5);
    EXPECT_EQ(losses[1].step, 2);
    EXPECT_TRUE(std::isnan(losses[1].loss));
}

TEST(Metrics, GiveTheLinesOfSomeKeysAlone) {
    TempFolder folder;
    const fs::path file = folder / "metrics.jsonl";
    EXPECT_TRUE(read_metrics(file, {"validation", "done", "quality"}).empty()) << "no file, no lines";
    write_file(file,
               "{\"step\":1,\"loss\":1.0}\n{\"step\":2,\"done\":\"quality\"}\nno JSON with \"done\"\n"
               "{\"step\":3,\"validation\":{}}\n{\"step\":4,\"done\":");
    const std::vector<Json> lines = read_metrics(file, {"validation", "done", "quality"});
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[0].at("step"), 2);
    EXPECT_EQ(lines[1].at("step"), 3);
}

TEST(Metrics, AreInTheFileAsSoonAsAppended) {
    TempFolder folder;
    MetricsWriter writer(folder / "metrics.jsonl");
    writer.append({{"step", 1}, {"loss", std::numeric_limits<double>::quiet_NaN()}});
    EXPECT_EQ(read_file(folder / "metrics.jsonl", 1000), "{\"step\":1,\"loss\":null}\n");
}

TEST(Metrics, CutWhatLiesBehindTheResumedStep) {
    TempFolder folder;
    const fs::path path = folder / "metrics.jsonl";
    write_steps(path, 1, 8);
    std::ofstream(path, std::ios::app) << "{\"step\":9,\"lo";  // a kill in the middle of a line
    EXPECT_EQ(steps(path), (std::vector<int64_t>{1, 2, 3, 4, 5, 6, 7, 8}));
    write_steps(path, 6, 7, 5);
    EXPECT_EQ(steps(path), (std::vector<int64_t>{1, 2, 3, 4, 5, 6, 7}));
    write_steps(path, 1, 2);
    EXPECT_EQ(steps(path), (std::vector<int64_t>{1, 2}));
    write_steps(folder / "none yet.jsonl", 1, 1, 0);
    EXPECT_EQ(steps(folder / "none yet.jsonl"), (std::vector<int64_t>{1}));
}

TEST(Metrics, SayWhenTheyEndBeforeTheCheckpoint) {
    TempFolder folder;
    write_steps(folder / "metrics.jsonl", 1, 3);
    const CapturedLog log;
    write_steps(folder / "metrics.jsonl", 4, 5, 3);
    EXPECT_EQ(log.text(), "");
    write_steps(folder / "metrics.jsonl", 8, 8, 7);
    EXPECT_NE(log.text().find("ends at step 5, and the run goes on from step 7"), std::string::npos) << log.text();
    EXPECT_EQ(steps(folder / "metrics.jsonl"), (std::vector<int64_t>{1, 2, 3, 4, 5, 8}));
}

TEST(Metrics, AreTornAtNoByteBeyondRepair) {
    TempFolder folder;
    const fs::path path = folder / "metrics.jsonl";
    write_steps(path, 1, 3);
    const std::string whole = read_file(path, 1000);
    for (size_t size = 0; size <= whole.size(); ++size) {
        write_file(path, whole.substr(0, size));
        write_steps(path, 4, 4, 3);
        const std::vector<int64_t> kept = steps(path);
        ASSERT_EQ(kept.back(), 4);
        ASSERT_EQ(static_cast<int64_t>(kept.size()), 1 + std::count(whole.begin(), whole.begin() + static_cast<long>(size), '\n'));
    }
}

TEST(Metrics, NameTheLineThatIsNoJson) {
    TempFolder folder;
    const fs::path path = folder / "metrics.jsonl";
    write_file(path, "{\"step\":1}\nnonsense\n{\"step\":3}\n");
    try {
        read_metrics(path);
        FAIL();
    } catch (const Error& error) {
        EXPECT_NE(std::string(error.what()).find("metrics.jsonl, line 2"), std::string::npos) << error.what();
    }
}

// What a loss of power leaves: blocks of zeros, or the end of one line before the beginning of another.
TEST(Metrics, LeaveOutWhatIsNoLineWhenARunGoesOn) {
    TempFolder folder;
    const fs::path path = folder / "metrics.jsonl";
    const std::string first = "{\"step\":1}\n", second = "{\"step\":2}\n", zeros(5000, '\0');
    for (const std::string& rest : {zeros, zeros + "\n", std::string("{\"st\n"), std::string("\n"), std::string("{\"loss\":1}\n"),
                                    std::string("{\"step\":1.5}\n[2]\n"), std::string("{\"step\":2}"), "{\"st" + zeros}) {
        write_file(path, first + rest);
        write_steps(path, 2, 2, 1);
        EXPECT_EQ(steps(path), (std::vector<int64_t>{1, 2})) << rest;
        write_file(path, first + (rest.ends_with('\n') ? rest : rest + '\n') + second);
        write_steps(path, 3, 3, 2);
        EXPECT_EQ(steps(path).back(), 3) << rest;
    }
}

TEST(Metrics, WaitWhileTheyCannotBeWritten) {
    TempFolder folder;
    const fs::path path = folder / "metrics.jsonl";
    MetricsWriter writer(path);
    writer.append({{"step", 1}});
    struct rlimit before {};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
    struct rlimit small = before;
    small.rlim_cur = fs::file_size(path) + 4;  // the next line is cut in the middle
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    writer.append({{"step", 2}});
    writer.append({{"step", 3}});
    EXPECT_EQ(read_file(path, 1000), "{\"step\":1}\n");
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    std::signal(SIGXFSZ, ignored);
    writer.append({{"step", 4}});
    EXPECT_EQ(steps(path), (std::vector<int64_t>{1, 2, 3, 4}));
}

// A number that was rounded to decimals has no more digits in the file: times of a day in milliseconds and speeds of all sizes.
TEST(Metrics, RoundedNumbersHaveNoOtherDigits) {
    const auto decimals_of = [](double value) {
        const std::string text = Json(value).dump();
        const size_t point = text.find('.');
        return point == text.npos ? 0 : static_cast<int>(text.size() - point - 1);
    };
    for (int i = 0; i < 20000; ++i) {
        const double time = 1764489600.0 + 4.3217 * i, speed = 0.01234 * i * i;
        EXPECT_LE(decimals_of(to_decimals(time, 3)), 3) << time;
        EXPECT_LE(decimals_of(to_decimals(speed, 2)), 2) << speed;
        EXPECT_NEAR(to_decimals(time, 3), time, 0.0005 + 1e-6);
        EXPECT_NEAR(to_decimals(speed, 2), speed, 0.005 + 1e-6);
    }
    EXPECT_EQ(to_decimals(123.456, 2), 123.46);
    EXPECT_TRUE(std::isinf(to_decimals(INFINITY, 2)));
}

}  // namespace
}  // namespace ddpm
