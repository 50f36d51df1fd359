#pragma once

#include <cstdint>

#include <cuda_bf16.h>
#include <cuda_runtime_api.h>

namespace ddpm::kernels {

// y ← y + bias + residual over rows [count, channels]; bias [channels] or null, residual like y or null. Channels are a
// multiple of 8. T: float or __nv_bfloat16.
template <class T>
void gpu_add_bias(int64_t count, int64_t channels, const T* bias, const T* residual, T* y, cudaStream_t stream);

// The sums of the columns of x [count, channels], taken in float32 and in one order; channels a multiple of 8. `scratch` holds
// gpu_column_sums_scratch(count, channels) numbers.
int64_t gpu_column_sums_scratch(int64_t count, int64_t channels);
template <class T>
void gpu_column_sums(int64_t count, int64_t channels, const T* x, float* scratch, T* sums, cudaStream_t stream);

}  // namespace ddpm::kernels
