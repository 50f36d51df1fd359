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
// `threads`: 0 takes OMP_NUM_THREADS if the user has set it, else the number of cores that this process may run on.
// An unknown or missing device is a user_error that says what there is instead; its key is `path`.
Runtime find_runtime(const std::string& device, int threads, const std::string& path = "device");

// find_runtime for a program that runs networks. It changes the whole process for good, so a library does not call it:
// LibTorch takes that many threads, large tensors on the CPU lie in an Arena from now on (core/tensor_memory.h), and for a
// GPU it sets how cuDNN and cuBLAS choose their algorithms.
// `deterministic`: a GPU uses only operators that add in a fixed order. LibTorch warns of each operator that has no such
// form. Without it cuDNN takes the algorithm that it measures to be fastest, which may be another one in another process.
// On the CPU it changes nothing: results there are the same whenever the number of threads is.
Runtime start_runtime(const std::string& device, int threads, bool deterministic = false, const std::string& path = "device");

// Returns "cpu, 2 threads, LibTorch 2.13.0" for the log.
std::string describe(const Runtime& runtime);

// Returns the bytes that can still be allocated on a device: available_memory() on the CPU, the free memory on a GPU.
// Returns nothing if the system does not say.
std::optional<int64_t> free_memory(const c10::Device& device);

// While it lives, with "bf16", this thread runs in bfloat16 what autocast allows; with "fp32" it does nothing. Any other
// precision is a user_error. Weights are cast once and cached: never update them while a guard lives. The destructor
// restores the old setting and empties the cache.
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
