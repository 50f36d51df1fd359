#include "kernels/parallel.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include <ATen/Parallel.h>
#include <c10/core/Allocator.h>
#include <gtest/gtest.h>

namespace ddpm::kernels {
namespace {

class Parallel : public ::testing::Test {
protected:
    void SetUp() override { at::set_num_threads(4); }
    void TearDown() override { at::set_num_threads(threads_); }

private:
    int threads_ = at::get_num_threads();
};

// Each item waits until all four have begun, which needs as many threads as LibTorch has. If a compiler ignores OpenMP, the loop is
// serial and the test fails.
TEST_F(Parallel, UsesAsManyThreadsAsLibTorch) {
    ASSERT_EQ(thread_count(), 4);
    std::atomic<int> arrived = 0;
    std::mutex mutex;
    std::set<std::thread::id> threads;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    parallel_for(4, [&](int64_t) {
        ++arrived;
        while (arrived < 4 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
        const std::lock_guard lock(mutex);
        threads.insert(std::this_thread::get_id());
    });
    EXPECT_EQ(arrived, 4);
    EXPECT_EQ(threads.size(), 4u);
}

TEST_F(Parallel, DoesEachOnce) {
    for (const int64_t count : {0, 1, 2, 3, 5, 1000}) {
        const auto times = std::make_unique<std::atomic<int>[]>(static_cast<size_t>(count));
        parallel_for(count, [&](int64_t i) { ++times[static_cast<size_t>(i)]; });
        for (int64_t i = 0; i < count; ++i) EXPECT_EQ(times[static_cast<size_t>(i)], 1) << i << " of " << count;
    }
}

TEST_F(Parallel, GivesEachThreadMemoryOfItsOwn) {
    constexpr int64_t floats = 1000;
    std::atomic<int> disturbed = 0, askew = 0;
    parallel_for(200, floats, [&](int64_t i, float* scratch) {
        askew += reinterpret_cast<uintptr_t>(scratch) % 64 != 0;
        std::fill_n(scratch, floats, static_cast<float>(i));
        std::this_thread::yield();
        disturbed += std::count(scratch, scratch + floats, static_cast<float>(i)) != floats;
    });
    EXPECT_EQ(askew, 0);
    EXPECT_EQ(disturbed, 0);
}

TEST_F(Parallel, IsSerialInsideOfAnother) {
    std::atomic<int> strangers = 0, done = 0;
    parallel_for(4, 16, [&](int64_t, float* outer) {
        outer[0] = 1;
        const auto thread = std::this_thread::get_id();
        parallel_for(10, 16, [&](int64_t, float* inner) {
            inner[0] = 2;
            strangers += std::this_thread::get_id() != thread;
            ++done;
        });
        strangers += outer[0] != 1;
    });
    EXPECT_EQ(strangers, 0);
    EXPECT_EQ(done, 40);
}

// What LibTorch's allocators report while it lives, as the memory forecast counts it.
class Reported : public c10::MemoryReportingInfoBase {
public:
    void reportMemoryUsage(void*, int64_t bytes, size_t, size_t, c10::Device) override {
        now += bytes;
        peak = std::max(peak, now);
    }
    bool memoryProfilingEnabled() const override { return true; }

    int64_t now = 0, peak = 0;
};

TEST_F(Parallel, ReportsItsMemory) {
    constexpr int64_t floats = 1 << 18;
    parallel_for(4, [](int64_t) {});
    const auto reported = std::make_shared<Reported>();
    {
        const c10::DebugInfoGuard watched(c10::DebugInfoKind::PROFILER_STATE, reported);
        parallel_for(100, floats, [](int64_t, float*) {});
    }
    EXPECT_GE(reported->peak, 4 * floats * 4);
    EXPECT_LE(reported->peak, 4 * (floats + 64) * 4);
    EXPECT_EQ(reported->now, 0);
}

}  // namespace
}  // namespace ddpm::kernels
