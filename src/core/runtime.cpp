#include "ddpm/core/runtime.h"

#include <cstdlib>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/memory.h"
#include "ddpm/core/tensor_memory.h"
#include "ddpm/core/text.h"
#include "ddpm/core/torch_compat.h"

namespace ddpm {

namespace {

int available_cores() {
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
    const unsigned cores = std::thread::hardware_concurrency();
    return cores == 0 ? 1 : static_cast<int>(cores);
}

c10::Device find_device(const std::string& name, const std::string& path) {
    const bool gpu = at::hasCUDA();
    if (name == "cpu") return c10::Device(c10::kCPU);
    if (name == "auto") return gpu ? c10::Device(c10::kCUDA, 0) : c10::Device(c10::kCPU);
    std::string digits = name == "cuda" ? "0" : name.rfind("cuda:", 0) == 0 ? name.substr(5) : "";
    if (digits.empty() || digits.size() > 3 || digits.find_first_not_of("0123456789") != std::string::npos)
        key_error(path, fmt::format("got {}, expected auto, cpu, cuda or cuda:N", quote(name)));
    if (!gpu) key_error(path, fmt::format("{} asked for, but this LibTorch finds no CUDA GPU; use {} cpu", quote(name), path));
    const int index = std::stoi(digits);
    const c10::DeviceIndex count = at::detail::getCUDAHooks().deviceCount();
    if (index >= count) key_error(path, fmt::format("{} asked for, but the last GPU is cuda:{}", quote(name), count - 1));
    return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(index));
}

void ask_for_deterministic_operators() {
    ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);  // read when cuBLAS starts
    at::Context& context = at::globalContext();
    context.setDeterministicAlgorithms(true, /*warn_only=*/true);
    context.setDeterministicFillUninitializedMemory(false);  // a help in debugging, which costs time
    context.setDeterministicCuDNN(true);
    context.setBenchmarkCuDNN(false);
}

}  // namespace

Runtime find_runtime(const std::string& device, int threads, const std::string& path) {
    Runtime runtime;
    runtime.device = find_device(device, path);
    const char* chosen = std::getenv("OMP_NUM_THREADS");
    if (threads > 0)
        runtime.threads = threads;
    else if (chosen != nullptr && std::atoi(chosen) > 0)
        runtime.threads = std::atoi(chosen);
    else
        runtime.threads = available_cores();
    return runtime;
}

Runtime start_runtime(const std::string& device, int threads, bool deterministic, const std::string& path) {
    const Runtime runtime = find_runtime(device, threads, path);
    if (deterministic && runtime.device.is_cuda())
        ask_for_deterministic_operators();
    else if (runtime.device.is_cuda())
        at::globalContext().setBenchmarkCuDNN(true);  // measures the algorithms when a shape first comes, takes the fastest
    at::set_num_threads(runtime.threads);
    keep_tensor_memory();
    return runtime;
}

std::string describe(const Runtime& runtime) {
    return fmt::format("{}, {} thread{}, LibTorch {}", runtime.device.str(), runtime.threads, runtime.threads == 1 ? "" : "s",
                       TORCH_VERSION);
}

std::optional<int64_t> free_memory(const c10::Device& device) {
    if (device.is_cpu()) return available_memory();
    try {
        at::globalContext().lazyInitDevice(device.type());
        return static_cast<int64_t>(c10::getDeviceAllocator(device.type())->getMemoryInfo(device.index()).first);
    } catch (const c10::Error&) {
        return std::nullopt;
    }
}

PrecisionGuard::PrecisionGuard(const c10::Device& device, const std::string& precision)
    : type_(device.type()), active_(precision != "fp32") {
    if (!active_) return;
    if (precision != "bf16") user_error("precision: " + unknown_name("precision", precision, {"fp32", "bf16"}));
    was_enabled_ = at::autocast::is_autocast_enabled(type_);
    old_dtype_ = at::autocast::get_autocast_dtype(type_);
    at::autocast::set_autocast_enabled(type_, true);
    at::autocast::set_autocast_dtype(type_, at::kBFloat16);
    at::autocast::increment_nesting();
}

PrecisionGuard::~PrecisionGuard() {
    if (!active_) return;
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(type_, was_enabled_);
    at::autocast::set_autocast_dtype(type_, old_dtype_);
}

}  // namespace ddpm
