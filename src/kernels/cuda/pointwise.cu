#include "kernels/cuda/pointwise.h"

#include <algorithm>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/vector.cuh"

namespace ddpm::kernels {

namespace {

constexpr int kThreads = 256;

template <class T>
__global__ void add_bias_kernel(int64_t vectors, int row_vectors, const T* bias, const T* residual, T* y) {
    const int64_t stride = static_cast<int64_t>(gridDim.x) * kThreads;
    for (int64_t i = blockIdx.x * static_cast<int64_t>(kThreads) + threadIdx.x; i < vectors; i += stride) {
        float values[kLanes], more[kLanes];
        load8(y + i * kLanes, values);
        if (bias != nullptr) {
            load8(bias + i % row_vectors * kLanes, more);
#pragma unroll
            for (int k = 0; k < kLanes; ++k) values[k] += more[k];
        }
        if (residual != nullptr) {
            load8(residual + i * kLanes, more);
#pragma unroll
            for (int k = 0; k < kLanes; ++k) values[k] += more[k];
        }
        store8(y + i * kLanes, values);
    }
}

constexpr int kColumnVectors = 8;  // vectors of columns that a block has side by side

// Block (b, s) sums the rows of the s-th stretch in columns of its own into row s of `sums`.
template <class T, class Sum>
__global__ void column_sums_kernel(int64_t count, int64_t stretch, int channels, const T* x, Sum* sums) {
    __shared__ float partial[kThreads / kColumnVectors][kColumnVectors * kLanes + 1];
    const int vector = threadIdx.x % kColumnVectors, row = threadIdx.x / kColumnVectors;
    const int channel = (blockIdx.x * kColumnVectors + vector) * kLanes;
    float own[kLanes] = {}, values[kLanes];
    if (channel < channels) {
        const int64_t end = min(count, (blockIdx.y + 1) * stretch);
        for (int64_t r = blockIdx.y * stretch + row; r < end; r += kThreads / kColumnVectors) {
            load8(x + r * channels + channel, values);
#pragma unroll
            for (int k = 0; k < kLanes; ++k) own[k] += values[k];
        }
    }
#pragma unroll
    for (int k = 0; k < kLanes; ++k) partial[row][vector * kLanes + k] = own[k];
    __syncthreads();
    for (int c = threadIdx.x; c < kColumnVectors * kLanes; c += kThreads) {
        float sum = 0;
        for (int r = 0; r < kThreads / kColumnVectors; ++r) sum += partial[r][c];
        const int at = blockIdx.x * kColumnVectors * kLanes + c;
        if (at < channels) assign(sums[static_cast<int64_t>(blockIdx.y) * channels + at], sum);
    }
}

template <class T>
__global__ void sum_stretches_kernel(int stretches, int channels, const float* scratch, T* sums) {
    const int c = blockIdx.x * kThreads + threadIdx.x;
    if (c >= channels) return;
    float sum = 0;
    for (int s = 0; s < stretches; ++s) sum += scratch[static_cast<int64_t>(s) * channels + c];
    assign(sums[c], sum);
}

// Returns how many stretches rows are divided into: enough blocks to fill a GPU, but at least 64 rows to each; up to 512 rows
// are one stretch.
int64_t stretches_of(int64_t count) { return count <= 512 ? 1 : std::min<int64_t>(count / 64, 128); }

}  // namespace

template <class T>
void gpu_add_bias(int64_t count, int64_t channels, const T* bias, const T* residual, T* y, cudaStream_t stream) {
    const int64_t vectors = count * channels / kLanes;
    const auto blocks = static_cast<unsigned>(std::min<int64_t>((vectors + kThreads - 1) / kThreads, 65536));
    add_bias_kernel<<<blocks, kThreads, 0, stream>>>(vectors, static_cast<int>(channels / kLanes), bias, residual, y);
    check_cuda(cudaGetLastError(), "adding a bias");
}

int64_t gpu_column_sums_scratch(int64_t count, int64_t channels) { return stretches_of(count) * channels; }

template <class T>
void gpu_column_sums(int64_t count, int64_t channels, const T* x, float* scratch, T* sums, cudaStream_t stream) {
    const int64_t stretches = stretches_of(count), stretch = (count + stretches - 1) / stretches;
    const int64_t columns = kColumnVectors * kLanes;
    const dim3 grid(static_cast<unsigned>((channels + columns - 1) / columns), static_cast<unsigned>(stretches));
    if (stretches == 1) {
        column_sums_kernel<<<grid, kThreads, 0, stream>>>(count, stretch, static_cast<int>(channels), x, sums);
    } else {
        column_sums_kernel<<<grid, kThreads, 0, stream>>>(count, stretch, static_cast<int>(channels), x, scratch);
        sum_stretches_kernel<<<static_cast<unsigned>((channels + kThreads - 1) / kThreads), kThreads, 0, stream>>>(
            static_cast<int>(stretches), static_cast<int>(channels), scratch, sums);
    }
    check_cuda(cudaGetLastError(), "sums of columns");
}

template void gpu_add_bias(int64_t, int64_t, const float*, const float*, float*, cudaStream_t);
template void gpu_add_bias(int64_t, int64_t, const __nv_bfloat16*, const __nv_bfloat16*, __nv_bfloat16*, cudaStream_t);
template void gpu_column_sums(int64_t, int64_t, const float*, float*, float*, cudaStream_t);
template void gpu_column_sums(int64_t, int64_t, const __nv_bfloat16*, float*, __nv_bfloat16*, cudaStream_t);

}  // namespace ddpm::kernels
