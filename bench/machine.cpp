#include "bench/machine.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <vector>

#include "ddpm/kernels/instruction_set.h"
#include "kernels/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/machine.cpp"
#include <hwy/foreach_target.h>

#include "kernels/gemm-inl.h"

HWY_BEFORE_NAMESPACE();
namespace ddpm::kernels {
namespace HWY_NAMESPACE {

// Multiplies a panel that stays in the first-level cache, which is the highest rate of multiply-adds that a kernel can reach.
template <class P>
float multiply(int64_t repetitions) {
    constexpr int64_t depth = 128;
    HWY_ALIGN P a[kRows * depth], b[depth * kColumns];
    HWY_ALIGN float c[kRows * kColumns];
    std::memset(a, 0, sizeof a);
    std::memset(b, 0, sizeof b);
    for (int64_t i = 0; i < repetitions; ++i) product(a, kRows * kPanel, b, depth, c, kRows);
    return c[0];
}

int64_t operations() { return 2 * kRows * 128 * kColumns; }  // in one repetition

float multiply_float(int64_t repetitions) { return multiply<float>(repetitions); }
float multiply_pairs(int64_t repetitions) {
    if constexpr (kBf16Products) return multiply<uint16_t>(repetitions);
    return 0;
}

}  // namespace HWY_NAMESPACE
}  // namespace ddpm::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ddpm::kernels {

HWY_EXPORT(operations);
HWY_EXPORT(multiply_float);
HWY_EXPORT(multiply_pairs);

namespace {

// Returns how many seconds f takes, the least of several runs.
template <class F>
double best(const F& f) {
    double seconds = 1e9;
    for (int i = 0; i < 7; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        f();
        seconds = std::min(seconds, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    return seconds;
}

double multiply_rate(float (*run)(int64_t)) {
    constexpr int64_t repetitions = 20000;
    const int64_t threads = thread_count();
    std::vector<float> results(static_cast<size_t>(threads));
    const double seconds =
        best([&] { parallel_for(threads, [&](int64_t i) { results[static_cast<size_t>(i)] = run(repetitions); }); });
    return static_cast<double>(threads * repetitions * HWY_DYNAMIC_DISPATCH(operations)()) / seconds / 1e9;
}

}  // namespace
}  // namespace ddpm::kernels

ddpm::Machine ddpm::measure_machine() {
    using namespace kernels;
    Machine machine;
    machine.fp32 = multiply_rate(HWY_DYNAMIC_DISPATCH(multiply_float));
    machine.bf16 = has_bf16_products() ? multiply_rate(HWY_DYNAMIC_DISPATCH(multiply_pairs)) : machine.fp32;
    const size_t part = size_t{64} << 20;
    const auto threads = static_cast<size_t>(thread_count());
    std::vector<char> from(part * threads, 1), to(part * threads);
    machine.copy = 2.0 * static_cast<double>(part * threads) / 1e9 / best([&] {
                       parallel_for(static_cast<int64_t>(threads), [&](int64_t i) {
                           std::memcpy(&to[part * static_cast<size_t>(i)], &from[part * static_cast<size_t>(i)], part);
                       });
                   });
    return machine;
}

#endif
