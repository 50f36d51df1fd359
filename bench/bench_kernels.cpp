// Times each hand-written kernel at the shapes that it has in the networks of bench_ddpm, and says what share of the machine's
// limit it reaches. The limit is the larger of two times, (bytes that must move) / (measured rate of copying) and (operations) /
// (measured rate of arithmetic); the share is the limit over the time taken. The flags are Google Benchmark's:
// --benchmark_filter=REGEX, --benchmark_format=json.

#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>
#include <hwy/aligned_allocator.h>
#include <spdlog/fmt/fmt.h>

#include "bench/machine.h"
#include "ddpm/core/random.h"
#include "ddpm/core/runtime.h"
#include "ddpm/kernels/instruction_set.h"
#include "kernels/attention.h"
#include "kernels/linear.h"
#include "kernels/norm_act.h"
#include "kernels/winograd.h"

namespace ddpm::kernels {
namespace {

// Returns finite numbers within [−1, 1] of type float, or their upper halves, which are bfloat16.
template <class T>
std::shared_ptr<T[]> numbers(int64_t count) {
    auto memory = std::make_shared<hwy::AlignedFreeUniquePtr<T[]>>(hwy::AllocateAligned<T>(static_cast<size_t>(count)));
    RandomStream stream(0, Purpose::preview);
    for (int64_t i = 0; i < count; ++i) {
        const auto x = static_cast<float>(stream.uniform(-1, 1));
        if constexpr (sizeof(T) == 4) {
            (*memory)[static_cast<size_t>(i)] = x;
        } else {
            uint32_t bits;
            std::memcpy(&bits, &x, sizeof bits);
            (*memory)[static_cast<size_t>(i)] = static_cast<T>(bits >> 16);
        }
    }
    return {memory, memory->get()};
}

struct Work {
    double operations;  // multiplications and additions of the algorithm that the kernel uses
    double bytes;       // read and written, each number once
};

Machine machine;

template <class T>
constexpr const char* kType = sizeof(T) == 4 ? "fp32" : "bf16";

void add(const std::string& name, const Work& work, double peak, std::function<void()> run) {
    benchmark::RegisterBenchmark(name.c_str(),
                                 [=](benchmark::State& state) {
                                     for (auto _ : state) run();
                                     const auto rate = [&](double amount) {
                                         return benchmark::Counter(amount, benchmark::Counter::kIsIterationInvariantRate);
                                     };
                                     state.counters["GFLOP/s"] = rate(work.operations / 1e9);
                                     state.counters["GB/s"] = rate(work.bytes / 1e9);
                                     state.counters["roofline"] =
                                         rate(std::max(work.operations / 1e9 / peak, work.bytes / 1e9 / machine.copy));
                                 })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime()
        ->MinWarmUpTime(0.05)
        ->MinTime(0.2);
}

template <class T>
void add_convolution(int64_t images, int64_t side, int64_t in, int64_t out) {
    const ConvShape shape{images, side, side, in, out};
    const int64_t pixels = images * side * side;
    const auto x = numbers<T>(pixels * in), y = numbers<T>(pixels * out);
    const auto weight = numbers<float>(9 * in * out), bias = numbers<float>(out);
    const std::string at = fmt::format("{} {}x{}x{} {}-{}", kType<T>, images, side, side, in, out);
    const auto tiles = static_cast<double>(shape.tiles());
    const double images_bytes = static_cast<double>(pixels * (in + out)) * sizeof(T);
    const double weights = static_cast<double>(in * out);
    const double products = 2 * 36 * tiles * weights;
    add("conv3x3 forward " + at, {products, images_bytes + 36 * weights}, machine.fp32,
        [=] { winograd_convolve(shape, x.get(), weight.get(), false, bias.get(), static_cast<const T*>(nullptr), y.get()); });
    add("conv3x3 weight gradient " + at, {products, images_bytes + 36 * weights}, machine.fp32,
        [=] { winograd_weight_gradient(shape, x.get(), y.get(), weight.get()); });
}

template <class T>
void add_normalization(int64_t images, int64_t side, int64_t channels) {
    const NormShape shape{images, side * side, channels, 32, 1e-5, true};
    const int64_t size = images * side * side * channels;
    const auto x = numbers<T>(size), y = numbers<T>(size), dx = numbers<T>(size);
    const auto gamma = numbers<float>(channels), beta = numbers<float>(channels), shift = numbers<float>(images * channels);
    const auto mean = numbers<float>(images * 32), rstd = numbers<float>(images * 32), sums = numbers<float>(3 * images * channels);
    const std::string at = fmt::format("{} {}x{}x{} {}", kType<T>, images, side, side, channels);
    const double bytes = static_cast<double>(size) * sizeof(T);
    const auto run = [=] {
        norm_act_forward(shape, {x.get(), shift.get(), gamma.get(), beta.get(), 0}, y.get(), mean.get(), rstd.get());
    };
    run();
    add("norm+SiLU forward " + at, {0, 2 * bytes}, machine.fp32, run);
    add("norm+SiLU backward " + at, {0, 3 * bytes}, machine.fp32, [=] {
        norm_act_backward(shape, {x.get(), shift.get(), gamma.get(), beta.get(), 0}, y.get(), mean.get(), rstd.get(), dx.get(),
                          sums.get(), sums.get() + images * channels, sums.get() + 2 * images * channels);
    });
}

template <class T>
void add_linear(int64_t rows, int64_t in, int64_t out) {
    const LinearShape shape{rows, in, out};
    const auto x = numbers<T>(rows * in), y = numbers<T>(rows * out);
    const auto weight = numbers<float>(in * out), bias = numbers<float>(out);
    const std::string at = fmt::format("{} {} {}-{}", kType<T>, rows, in, out);
    const double peak = sizeof(T) == 4 ? machine.fp32 : machine.bf16;
    const Work work{2.0 * static_cast<double>(rows * in * out),
                    static_cast<double>(rows * (in + out)) * sizeof(T) + 4.0 * static_cast<double>(in * out)};
    add("linear forward " + at, work, peak,
        [=] { linear_forward(shape, x.get(), weight.get(), bias.get(), static_cast<const T*>(nullptr), y.get()); });
    add("linear input gradient " + at, work, peak, [=] { linear_input_gradient(shape, y.get(), weight.get(), x.get()); });
    add("linear weight gradient " + at, work, peak, [=] { linear_weight_gradient(shape, x.get(), y.get(), weight.get()); });
}

template <class T>
void add_attention(int64_t images, int64_t tokens, int64_t heads, int64_t head_dim) {
    const AttentionShape shape{images, tokens, heads, head_dim};
    const int64_t size = images * tokens * heads * head_dim;
    const auto qkv = numbers<T>(3 * size), out = numbers<T>(size), dqkv = numbers<T>(3 * size);
    const auto sums = numbers<float>(images * heads * tokens);
    const std::string at = fmt::format("{} {}x{} {}x{}", kType<T>, images, tokens, heads, head_dim);
    const double product = 2.0 * static_cast<double>(images * heads * tokens * tokens * head_dim);
    const double bytes = static_cast<double>(size) * sizeof(T), peak = sizeof(T) == 4 ? machine.fp32 : machine.bf16;
    const auto run = [=] { attention_forward(shape, qkv.get(), out.get(), sums.get()); };
    run();
    add("attention forward " + at, {2 * product, 4 * bytes}, peak, run);
    add("attention backward " + at, {5 * product, 8 * bytes}, peak,
        [=] { attention_backward(shape, qkv.get(), out.get(), sums.get(), out.get(), dqkv.get()); });
}

template <class T>
void add_all() {
    // The shapes are those of s64 at batch 16, of the CIFAR-10 network at batch 8, and of one image.
    add_convolution<T>(16, 32, 64, 64);
    add_convolution<T>(16, 16, 128, 128);
    add_convolution<T>(16, 8, 128, 128);
    add_convolution<T>(8, 32, 128, 128);
    add_convolution<T>(8, 16, 256, 256);
    add_convolution<T>(8, 8, 256, 256);
    add_convolution<T>(8, 4, 256, 256);
    add_convolution<T>(1, 32, 64, 64);
    add_normalization<T>(16, 32, 64);
    add_normalization<T>(8, 32, 128);
    add_normalization<T>(8, 16, 256);
    add_linear<T>(16 * 256, 128, 384);
    add_linear<T>(16 * 1024, 128, 64);
    add_linear<T>(8 * 256, 256, 768);
    add_attention<T>(16, 256, 1, 128);
    add_attention<T>(8, 256, 1, 256);
}

}  // namespace
}  // namespace ddpm::kernels

int main(int argc, char** argv) {
    using namespace ddpm;
    using namespace ddpm::kernels;
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    const Runtime runtime = start_runtime("cpu", 0);
    machine = measure_machine();
    std::fprintf(stderr, "this machine on %d threads: %.0f GFLOP/s in float32, %.0f in bfloat16; copying %.1f GB/s\n",
                 runtime.threads, machine.fp32, machine.bf16, machine.copy);
    benchmark::AddCustomContext("fp32_gflops", fmt::format("{:.0f}", machine.fp32));
    benchmark::AddCustomContext("bf16_gflops", fmt::format("{:.0f}", machine.bf16));
    benchmark::AddCustomContext("copy_gbs", fmt::format("{:.1f}", machine.copy));
    add_all<float>();
    add_all<uint16_t>();
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
}
