#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>

#include "ddpm/kernels/kernels.h"

namespace ddpm::kernels {

// ddpm/kernels/recording.h, on a GPU.
class Recorder {
public:
    virtual ~Recorder() = default;
    virtual void run(const std::function<void()>& work) = 0;
};

// What a build with CUDA sources adds.
struct Gpu {
    Kernels forms;  // of the fast kernels; plain where they don't fit
    // Of a contiguous float32 tensor [N, …]: gpu_fill_normal in cuda/noise.h.
    void (*fill_normal)(const at::Tensor& out, std::array<uint32_t, 2> key, std::array<uint32_t, 4> counter);
    // Of a channels-last bool tensor [N, C, H, W] and contiguous int64 seeds [N]: gpu_fill_dropout_mask in cuda/noise.h.
    void (*fill_dropout_mask)(const at::Tensor& kept, uint64_t threshold, const at::Tensor& seeds, int64_t layer);
    std::unique_ptr<Recorder> (*make_recorder)(const c10::Device& device);
    bool (*multiplies_bf16)();  // the current GPU, in its matrix units
};

// Null in a build without.
const Gpu* gpu();

}  // namespace ddpm::kernels
