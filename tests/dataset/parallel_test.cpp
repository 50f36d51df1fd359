#include "dataset/parallel.h"

#include <atomic>
#include <cstdio>
#include <stdexcept>

#include <sys/resource.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace ddpm::dataset {
namespace {

TEST(ParallelFor, CallsEachOnce) {
    std::atomic<int64_t> sum{0};
    parallel_for(1000, 7, "adding", [&](int64_t i) { sum += i; });
    EXPECT_EQ(sum, 999 * 500);
    parallel_for(0, 7, "adding", [&](int64_t) { FAIL(); });
}

TEST(ParallelFor, StopsAtTheFirstExceptionAndRethrowsIt) {
    std::atomic<int64_t> calls{0};
    const auto body = [&](int64_t i) {
        ++calls;
        if (i == 3) throw std::runtime_error("three");
    };
    EXPECT_THROW(parallel_for(1000000, 4, "throwing", body), std::runtime_error);
    EXPECT_LT(calls, 1000000);
}

// The stacks of some threads fit into the addresses that are left, those of 64 don't.
TEST(ParallelFor, GoesOnWithTheThreadsThereAre) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "a sanitizer takes all addresses for itself";
#endif
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const auto add_with_little_memory = [](rlim_t mebibytes) {
        std::atomic<int64_t> sum{0};
        long pages = 0;
        std::FILE* file = std::fopen("/proc/self/statm", "r");
        if (!file || std::fscanf(file, "%ld", &pages) != 1) ::_exit(4);
        const rlim_t bytes = static_cast<rlim_t>(pages) * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + (mebibytes << 20);
        const struct rlimit little { bytes, bytes };
        if (::setrlimit(RLIMIT_AS, &little) != 0) ::_exit(4);
        parallel_for(1000, 64, "adding", [&](int64_t i) { sum += i; });
        ::_exit(sum == 999 * 500 ? 0 : 3);
    };
    EXPECT_EXIT(add_with_little_memory(0), testing::ExitedWithCode(0), "");
    EXPECT_EXIT(add_with_little_memory(100), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace ddpm::dataset
