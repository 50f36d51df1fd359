#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime_api.h>

#include "kernels/norm_act.h"

namespace ddpm::kernels {

// ddpm/kernels/norm_act.h for a GPU; shift is like x. T: float or __nv_bfloat16.
template <class T>
struct GpuNormInput {
    const T* x;      // [N, pixels, C]
    const T* shift;  // [N, C], or null
    const float *gamma, *beta;
    int64_t affine_stride;  // from one image's γ to the next: 0 or C
};

// Whether there is a form for these numbers of channels and groups.
bool gpu_norm_act_fits(const NormShape& shape);

// Statistics in float32, of the mean first and of the squared distances from it then. mean and rstd: [N, groups].
template <class T>
void gpu_norm_act_forward(const NormShape& shape, const GpuNormInput<T>& input, T* y, float* mean, float* rstd,
                          cudaStream_t stream);

// daffine is [N, 2, C]: of γ and of β, for each image; dshift, where there is a shift, is [N, C]. In bfloat16 what goes before
// the activation is rounded between two passes.
template <class T>
void gpu_norm_act_backward(const NormShape& shape, const GpuNormInput<T>& input, const T* dy, const float* mean, const float* rstd,
                           T* dx, float* daffine, T* dshift, cudaStream_t stream);

}  // namespace ddpm::kernels
