#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

namespace ddpm {

// Where and how tensors are computed. Made once and passed down.
struct Runtime {
    c10::Device device = c10::Device(c10::kCPU);
    int threads = 1;  // of LibTorch's operators, and of the data loader
};

// Finds a device and counts threads; changes nothing in the process.
// `device`: auto, cpu, cuda, cuda:N. auto takes the first GPU when LibTorch was built for CUDA and finds one.
// `threads`: 0 takes the cores this process may run on (OMP_NUM_THREADS only when the user set it).
// A device that is not there is a user_error that says what is; `path` is the key or flag that it speaks of.
Runtime find_runtime(const std::string& device, int threads, const std::string& path = "device");

// find_runtime for a program that runs networks. It changes the whole process for good, so a library does not call it:
// LibTorch takes that many threads, large tensors on the CPU lie in an Arena from now on (core/tensor_memory.h), and on a
// GPU cuDNN and cuBLAS are told how to choose their algorithms.
// `deterministic`: on a GPU only operators that add in a fixed order, as far as LibTorch has them; it warns of each that
// it hasn't. Without it cuDNN takes the algorithm that it measures to be fastest, another one perhaps in another process.
// On the CPU, where all is the same at a given number of threads, it changes nothing.
Runtime start_runtime(const std::string& device, int threads, bool deterministic = false, const std::string& path = "device");

// "cpu, 2 threads, LibTorch 2.13.0" for the log.
std::string describe(const Runtime& runtime);

// Bytes that may still be taken on a device: available_memory() on the CPU, what is free on a GPU. Nothing where the
// system doesn't tell.
std::optional<int64_t> free_memory(const c10::Device& device);

// While it lives, this thread computes what may be in bfloat16 in bfloat16 (autocast); with "fp32" it does nothing.
// Restores what was set before and empties the cache of cast weights, so never update weights inside.
class PrecisionGuard {
public:
    PrecisionGuard(const c10::Device& device, const std::string& precision);  // fp32, bf16
    ~PrecisionGuard();
    PrecisionGuard(const PrecisionGuard&) = delete;
    PrecisionGuard& operator=(const PrecisionGuard&) = delete;

private:
    c10::DeviceType type_;
    bool active_, was_enabled_ = false;
    c10::ScalarType old_dtype_ = c10::ScalarType::Undefined;
};

}  // namespace ddpm
