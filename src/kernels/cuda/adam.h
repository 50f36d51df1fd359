#pragma once

#include <cuda_runtime_api.h>

#include "kernels/adam.h"

namespace ddpm::kernels {

// AdamSpans for a GPU's kernels. All of it is in the GPU's memory, the table too.
struct GpuSpans {
    const AdamSpan* spans;
    const int64_t* first_block;  // [count + 1]: how many blocks come before each span, and at the end how many there are
    int count;
    int64_t blocks;
};

// How many numbers one block of these kernels takes.
constexpr int64_t kGpuSpanBlock = 8192;

// Does the step of AdamUpdate (ddpm/kernels/adam.h).
void gpu_adam_update(const GpuSpans& spans, const AdamUpdate& update, cudaStream_t stream);

// Writes √Σ g² to norm[0], summed always in the same order. `scratch` holds one number for each block.
void gpu_gradient_norm(const GpuSpans& spans, double* scratch, double* norm, cudaStream_t stream);

}  // namespace ddpm::kernels
