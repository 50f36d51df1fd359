#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime_api.h>

#include "kernels/norm_act.h"

namespace ddpm::kernels {

// NormInput (kernels/norm_act.h) for a GPU. The shift has the type of x. T: float or __nv_bfloat16.
template <class T>
struct GpuNormInput {
    const T* x;      // [N, pixels, C]
    const T* shift;  // [N, C], or null
    const float *gamma, *beta;
    int64_t affine_stride;  // from one image's γ to the next: 0 or C
};

// Whether the functions below take this shape.
bool gpu_norm_act_fits(const NormShape& shape);

// Statistics are float32: first the mean, then the mean of the squared distances from it. mean and rstd: [N, groups].
template <class T>
void gpu_norm_act_forward(const NormShape& shape, const GpuNormInput<T>& input, T* y, float* mean, float* rstd,
                          cudaStream_t stream);

// daffine, [N, 2, C], holds the gradients of γ and of β for each image; dshift is [N, C], or null without a shift. In bfloat16
// the gradient before the activation may be rounded between two passes.
template <class T>
void gpu_norm_act_backward(const NormShape& shape, const GpuNormInput<T>& input, const T* dy, const float* mean, const float* rstd,
                           T* dx, float* daffine, T* dshift, cudaStream_t stream);

}  // namespace ddpm::kernels
