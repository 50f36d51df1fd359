#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>

#include "ddpm/kernels/kernels.h"

namespace ddpm::kernels {

// What a Recording (ddpm/kernels/recording.h) does with its work on a GPU.
class Recorder {
public:
    virtual ~Recorder() = default;
    virtual void run(const std::function<void()>& work) = 0;
};

// What a build with CUDA sources adds.
struct Gpu {
    Kernels kernels;  // of the fast kernels; plain where they don't fit
    // Fills a contiguous float32 tensor [N, …]: gpu_fill_normal in cuda/noise.h.
    void (*fill_normal)(const at::Tensor& out, std::array<uint32_t, 2> key, std::array<uint32_t, 4> counter);
    // Fills a channels-last bool tensor [N, C, H, W] from contiguous int64 seeds [N]: gpu_fill_dropout_mask in cuda/noise.h.
    void (*fill_dropout_mask)(const at::Tensor& kept, uint64_t threshold, const at::Tensor& seeds, int64_t layer);
    std::unique_ptr<Recorder> (*make_recorder)(const c10::Device& device);
    bool (*multiplies_bf16)();  // whether the current GPU does, in its matrix units
};

// Returns null in a build without CUDA sources.
const Gpu* gpu();

}  // namespace ddpm::kernels
