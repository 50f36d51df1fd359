#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/util/Exception.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kernels/attention.h"
#include "kernels/linear.h"
#include "kernels/norm_act.h"
#include "kernels/winograd.h"

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)  // which takes all addresses that there are
#define DDPM_CAN_LIMIT_ADDRESSES 1
#endif

// Kernels in a process that has room for its tensors and none for what a kernel needs besides.
namespace ddpm::kernels {
namespace {

#ifdef DDPM_CAN_LIMIT_ADDRESSES

constexpr int kThreads = 8;
constexpr rlim_t kRoom = 16 << 20;

void limit_addresses() {
    std::ifstream file("/proc/self/statm");
    rlim_t pages = 0;
    file >> pages;
    rlimit limit{};
    ::getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + kRoom;
    ::setrlimit(RLIMIT_AS, &limit);
}

// Numbers that nobody has touched take addresses and no memory.
template <class T>
T* numbers(int64_t count) {
    static std::vector<at::Tensor> kept;
    kept.push_back(at::empty({count * static_cast<int64_t>(sizeof(T))}, at::kByte));
    return static_cast<T*>(kept.back().mutable_data_ptr());
}

// Ends the process as the program does: by one line and exit code 1 where memory ran out, 0 when it did not.
[[noreturn]] void run_without_room(const std::function<void()>& kernel) {
    at::set_num_threads(kThreads);
    at::empty({1 << 20}, at::kByte).fill_(0);  // starts the threads
    norm_act_forward(NormShape{16, 1, 32, 2, 1e-5, true},
                     NormInput<float>{numbers<float>(512), nullptr, numbers<float>(32), numbers<float>(32), 0}, numbers<float>(512),
                     numbers<float>(32), numbers<float>(32));
    limit_addresses();
    try {
        kernel();
    } catch (const c10::Error& error) {
        if (std::string(error.what()).find("can't allocate memory") == std::string::npos) std::_Exit(3);
        std::fputs("out of memory\n", stderr);
        std::_Exit(1);
    }
    std::_Exit(0);
}

template <class T>
void norm_backward() {
    const NormShape shape{kThreads, 256 * 256, 128, 32, 1e-5, true};
    const int64_t size = shape.images * shape.pixels * shape.channels, rows = shape.images * shape.channels;
    const NormInput<T> input{numbers<T>(size), nullptr, numbers<float>(rows), numbers<float>(rows), 0};
    const auto* dy = numbers<T>(size);
    auto *mean = numbers<float>(rows), *rstd = numbers<float>(rows), *dgamma = numbers<float>(rows), *dbeta = numbers<float>(rows);
    T* dx = numbers<T>(size);
    run_without_room([&] { norm_act_backward(shape, input, dy, mean, rstd, dx, dgamma, dbeta, nullptr); });
}

void convolve() {
    const ConvShape shape{4, 64, 64, 512, 512};
    auto *x = numbers<float>(4 * 64 * 64 * 512), *y = numbers<float>(4 * 64 * 64 * 512), *weight = numbers<float>(9 * 512 * 512);
    run_without_room([&] { winograd_convolve(shape, x, weight, false, nullptr, static_cast<const float*>(nullptr), y); });
}

void convolution_weights() {
    const ConvShape shape{1, 32, 32, 512, 512};
    auto *x = numbers<float>(32 * 32 * 512), *dy = numbers<float>(32 * 32 * 512), *dweight = numbers<float>(9 * 512 * 512);
    run_without_room([&] { winograd_weight_gradient(shape, x, dy, dweight); });
}

void linear() {
    const LinearShape shape{64, 4096, 4096};
    auto *x = numbers<uint16_t>(64 * 4096), *y = numbers<uint16_t>(64 * 4096);
    auto* weight = numbers<float>(4096 * 4096);
    run_without_room([&] { linear_forward(shape, x, weight, nullptr, static_cast<const uint16_t*>(nullptr), y); });
}

void linear_weights() {
    const LinearShape shape{64, 8192, 8192};
    auto *x = numbers<float>(64 * 8192), *dy = numbers<float>(64 * 8192), *dweight = numbers<float>(8192 * 8192);
    run_without_room([&] { linear_weight_gradient(shape, x, dy, dweight); });
}

const AttentionShape kAttention{kThreads, 4096, 1, 256};
constexpr int64_t kTokens = kThreads * 4096 * 256;

void attend() {
    auto *qkv = numbers<float>(3 * kTokens), *out = numbers<float>(kTokens), *sums = numbers<float>(kThreads * 4096);
    run_without_room([&] { attention_forward(kAttention, qkv, out, sums); });
}

void attention_gradient() {
    auto *qkv = numbers<float>(3 * kTokens), *out = numbers<float>(kTokens), *sums = numbers<float>(kThreads * 4096);
    auto* dqkv = numbers<float>(3 * kTokens);
    run_without_room([&] { attention_backward(kAttention, qkv, out, sums, out, dqkv); });
}

struct Case {
    const char* name;
    void (*run)();
};

class OutOfMemory : public ::testing::TestWithParam<Case> {
protected:
    void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }  // a process of its own
};

TEST_P(OutOfMemory, IsAnErrorNotACrash) { EXPECT_EXIT(GetParam().run(), ::testing::ExitedWithCode(1), "^out of memory\n$"); }

INSTANTIATE_TEST_SUITE_P(Kernels, OutOfMemory,
                         ::testing::Values(Case{"NormGradient", norm_backward<uint16_t>}, Case{"Convolution", convolve},
                                           Case{"ConvolutionWeightGradient", convolution_weights}, Case{"Linear", linear},
                                           Case{"LinearWeightGradient", linear_weights}, Case{"Attention", attend},
                                           Case{"AttentionGradient", attention_gradient}),
                         [](const auto& info) { return std::string(info.param.name); });

// The limit by itself is no error: what needs no more than there is runs.
TEST(InAFewAddresses, AKernelRuns) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(run_without_room([] {
                    const NormShape shape{2, 16, 32, 2, 1e-5, true};
                    auto* x = numbers<float>(1024);
                    norm_act_forward(shape, NormInput<float>{x, nullptr, x, x, 0}, numbers<float>(1024), numbers<float>(4),
                                     numbers<float>(4));
                }),
                ::testing::ExitedWithCode(0), "^$");
}

#endif

}  // namespace
}  // namespace ddpm::kernels
