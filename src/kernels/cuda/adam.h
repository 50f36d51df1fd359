#pragma once

#include <cuda_runtime_api.h>

#include "kernels/adam.h"

namespace ddpm::kernels {

// AdamSpans as a GPU's kernels find them: everything in its memory, the table too.
struct GpuSpans {
    const AdamSpan* spans;
    const int64_t* first_block;  // [count + 1]: the blocks before each span, and of all
    int count;
    int64_t blocks;
};

// Numbers that one block of these kernels takes.
constexpr int64_t kGpuSpanBlock = 8192;

// ddpm/kernels/adam.h.
void gpu_adam_update(const GpuSpans& spans, const AdamUpdate& update, cudaStream_t stream);

// √Σ g² into norm[0]; `scratch` holds one number for each block. In one order.
void gpu_gradient_norm(const GpuSpans& spans, double* scratch, double* norm, cudaStream_t stream);

}  // namespace ddpm::kernels
