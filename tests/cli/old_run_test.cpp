// A run of an older program (commit 66683e7), with what it wrote afterwards.

#include <gtest/gtest.h>

#include "cli/tiny.h"

namespace ddpm {
namespace {

// The run was begun with one random stream for each micro-batch and with dropout by LibTorch's generator, whose numbers are the
// same on x86 only. It has labels, label drop, dropout and accumulation, so that the loss of every step depends on every stream.
// The tolerance is for the rounding of kernels for other instruction sets.
TEST(OldRun, GoesOnWithItsOwnRandomStreams) {
#ifndef __x86_64__
    GTEST_SKIP() << "LibTorch's generator draws other masks here";
#endif
    const Tiny tiny;
    const fs::path data = fs::path(DDPM_TEST_DATA_DIR) / "train";
    fs::copy(data / "old_run", tiny.folder / "run", fs::copy_options::recursive);
    fs::copy(data / "old_run.json", tiny.folder / "old.json");
    const std::vector<Json> expected = read_metrics(tiny.folder / "run/metrics.jsonl");
    ASSERT_EQ(expected.size(), 8u);
    const ProcessResult result = tiny.run({"train", "--config", "old.json", "--out", "run", "--resume", "--device", "cpu"});
    ASSERT_EQ(result.code, 0) << result.err;
    EXPECT_NE(result.err.find("step-000004"), std::string::npos) << result.err;
    const std::vector<Json> lines = read_metrics(tiny.folder / "run/metrics.jsonl");
    ASSERT_EQ(lines.size(), 8u);
    for (size_t i = 0; i < lines.size(); ++i)
        for (const char* key : {"loss", "grad_norm"}) {
            const double then = expected[i].at(key);
            EXPECT_NEAR(lines[i].at(key).get<double>(), then, 1e-4 * then) << key << " of step " << i + 1;
        }
    EXPECT_EQ(tiny.bytes("run/checkpoints/step-000008/training/counters.json").find("streams"), std::string::npos);
}

}  // namespace
}  // namespace ddpm
