#include "ddpm/report/run_metrics.h"

#include <cmath>
#include <fstream>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "ddpm/core/files.h"
#include "support/errors.h"
#include "support/temp_folder.h"

namespace ddpm {
namespace {

RunMetrics read(const std::string& text) {
    const TempFolder folder;
    write_file(folder / "metrics.jsonl", text);
    return read_run_metrics(folder / "metrics.jsonl");
}

TEST(RunMetrics, HoldEveryKindOfLine) {
    const RunMetrics metrics =
        read(R"~({"step":1,"loss":0.5,"grad_norm":2.0,"lr":0.001,"images_per_second":40.0,"time":1000.5})~"
             "\n"
             R"~({"step":2,"loss":3.5,"grad_norm":9.0,"lr":0.002,"images_per_second":41.0,"time":1001.5,"spike":12.5})~"
             "\n"
             R"~({"step":2,"validation":{"raw":{"loss":0.4,"by_t":[0.7,0.1]},"ema":{"loss":0.3,"by_t":[0.5,0.1]}}})~"
             "\n"
             R"~({"step":3,"rollback":{"from":7,"attempt":1,"learning_rate_factor":0.5}})~"
             "\n"
             R"~({"step":3,"loss":null,"grad_norm":null,"lr":0.002,"images_per_second":41.0,"time":1002.5,"skipped":true})~"
             "\n"
             R"~({"step":3,"quality":{"mmd":{"value":0.02,"sd":0.001,"floor":0.0004},"fd":{"value":1.5}}})~"
             "\n"
             R"~({"step":4,"validation":{"raw":{"loss":0.5,"by_t":[0.7,0.1]},"ema":{"loss":0.6,"by_t":[0.8,0.4]}}})~"
             "\n"
             R"~({"step":4,"heartbeat":1062.5})~"
             "\n"
             R"~({"step":4,"gave_up":{"t":[0,9],"place":"at mid_block (aten::conv2d)"}})~"
             "\n");
    EXPECT_EQ(metrics.lines, 9);
    EXPECT_EQ(metrics.unreadable + metrics.replaced, 0);
    EXPECT_EQ(metrics.last_step, 3);
    EXPECT_EQ(metrics.skipped, 1);
    ASSERT_EQ(metrics.loss.columns().size(), 2u);
    EXPECT_EQ(metrics.loss.columns()[1].greatest, 3.5);
    EXPECT_EQ(metrics.learning_rate.columns().size(), 3u);
    ASSERT_EQ(metrics.spikes.size(), 1u);
    EXPECT_EQ(metrics.spikes[0].score, 12.5);
    ASSERT_EQ(metrics.rollbacks.size(), 1u);
    EXPECT_EQ(metrics.rollbacks[0].from, 7);
    EXPECT_EQ(metrics.rollbacks[0].to, 2);
    ASSERT_EQ(metrics.held_out_by_t.size(), 2u);
    EXPECT_EQ(metrics.held_out_by_t[1].columns()[1].mean(), 0.4);
    EXPECT_EQ(metrics.best_held_out->step, 2);
    EXPECT_EQ(metrics.last_held_out->loss, 0.6);
    EXPECT_EQ(metrics.held_out_since_best, 1);
    EXPECT_EQ(metrics.quality.at("mmd")[0].sd, 0.001);
    EXPECT_TRUE(std::isnan(metrics.quality.at("fd")[0].floor));
    EXPECT_EQ(*metrics.gave_up, "at mid_block (aten::conv2d)");
    EXPECT_EQ(metrics.first_time, 1000.5);
    EXPECT_EQ(metrics.last_time, 1062.5);
    EXPECT_FALSE(metrics.torn);
}

TEST(RunMetrics, BearATornEndAndLinesThatAreNone) {
    const RunMetrics metrics = read("{\"step\":1,\"loss\":1}\nnot json\n[1]\n{\"loss\":2}\n{\"step\":-3,\"loss\":2}\n\xff\xfe\n" +
                                    std::string(3 << 20, 'x') + "\n{\"step\":2,\"loss\":3}\n{\"step\":3,\"lo");
    EXPECT_TRUE(metrics.torn);
    EXPECT_EQ(metrics.last_step, 2);
    EXPECT_EQ(metrics.unreadable, 6);
    EXPECT_EQ(metrics.loss.columns().size(), 2u);
    EXPECT_EQ(read("").last_step, 0);
    EXPECT_TRUE(read("{\"st").torn);
}

// Whatever was done twice: the later lines count.
TEST(RunMetrics, LaterLinesWin) {
    std::string text;
    const auto add = [&](int64_t step, double loss) {
        text += "{\"step\":" + std::to_string(step) + ",\"loss\":" + std::to_string(loss) + "}\n";
    };
    for (int64_t step = 1; step <= 10; ++step) add(step, 100);
    for (int64_t step = 5; step <= 8; ++step) add(step, 200);
    for (int64_t step = 7; step <= 12; ++step) add(step, 300);
    const RunMetrics metrics = read(text);
    EXPECT_EQ(metrics.last_step, 12);
    EXPECT_EQ(metrics.replaced, 6 + 2);
    ASSERT_EQ(metrics.loss.columns().size(), 12u);
    for (size_t i = 0; i < 12; ++i) EXPECT_EQ(metrics.loss.columns()[i].mean(), i < 4 ? 100 : i < 6 ? 200 : 300) << i;
}

TEST(RunMetrics, AMissingFileIsTheUsersMistake) {
    EXPECT_SAYS(error_of([] { read_run_metrics("/nonexistent/metrics.jsonl"); }), "metrics.jsonl");
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// A run of a million steps, whose metrics.jsonl has 140 MB, takes a few.
TEST(RunMetrics, AMillionLinesTakeLittleMemory) {
    const TempFolder folder;
    const fs::path path = folder / "metrics.jsonl";
    {
        std::ofstream file(path);
        for (int64_t step = 1; step <= 1000000; ++step)
            file << "{\"step\":" << step << ",\"loss\":" << (step == 777777 ? 55.5 : 0.0123456789012)
                 << ",\"grad_norm\":0.123456789012345,\"lr\":0.0002,\"images_per_second\":123.45,\"time\":1796077730.43}\n";
        ASSERT_TRUE(file.good());
    }
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        rusage before{}, after{};
        ::getrusage(RUSAGE_SELF, &before);
        const RunMetrics metrics = read_run_metrics(path);
        ::getrusage(RUSAGE_SELF, &after);
        double greatest = 0;
        for (const ColumnCurve::Column& column : metrics.loss.columns()) greatest = std::max(greatest, column.greatest);
        if (metrics.last_step != 1000000 || greatest != 55.5) ::_exit(2);
        ::_exit(after.ru_maxrss - before.ru_maxrss < 16 * 1024 ? 0 : 3);  // KiB
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0) << "2: wrong numbers, 3: more than 16 MiB";
}
#endif

}  // namespace
}  // namespace ddpm
