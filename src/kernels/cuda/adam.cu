#include "kernels/cuda/adam.h"

#include <cmath>

#include "kernels/cuda/launch.h"

namespace ddpm::kernels {

namespace {

constexpr int kThreads = 256;
constexpr int kAverages = static_cast<int>(kMostAverages);  // loops over averages are unrolled, so that a span stays in registers

// Returns the span of which this block has a part, and sets `begin` to where that part begins.
__device__ AdamSpan part_of(const GpuSpans& spans, int64_t& begin) {
    int low = 0, high = spans.count - 1;
    const int64_t block = blockIdx.x;
    while (low < high) {
        const int middle = (low + high + 1) / 2;
        if (spans.first_block[middle] <= block)
            low = middle;
        else
            high = middle - 1;
    }
    begin = (block - spans.first_block[low]) * kGpuSpanBlock;
    return spans.spans[low];
}

__device__ inline void update_one(float& p, float g, float& m, float& v, const AdamFactors& f) {
    g = fmaf(f.decay, p, f.scale * g);
    p *= f.shrink;
    m = fmaf(f.rest1, g - m, m);
    v = fmaf(f.rest2, fmaf(g, g, -v), v);
    p -= f.step_size * (m / fmaf(sqrtf(v), f.root, f.epsilon));
}

__device__ inline float follow(float average, float p, const AverageFactors& f) {
    return f.copies ? fmaf(-f.decay, p - average, p) : fmaf(f.rest, p - average, average);
}

__device__ inline void update_alone(const AdamSpan& s, int64_t i, const AdamFactors& f) {
    update_one(s.parameter[i], s.gradient[i], s.exp_avg[i], s.exp_avg_sq[i], f);
#pragma unroll
    for (int k = 0; k < kAverages; ++k)
        if (s.averages[k] != nullptr) s.averages[k][i] = follow(s.averages[k][i], s.parameter[i], f.average[k]);
}

__global__ void adam_kernel(GpuSpans spans, AdamFactors f) {
    int64_t begin;
    const AdamSpan s = part_of(spans, begin);
    const int64_t end = min(s.count, begin + kGpuSpanBlock);
    int64_t i = begin + threadIdx.x * 4;
    const auto whole = [](const void* at) { return reinterpret_cast<uintptr_t>(at) % 16 == 0; };
    bool all_whole = whole(s.parameter) && whole(s.gradient) && whole(s.exp_avg) && whole(s.exp_avg_sq);
#pragma unroll
    for (int k = 0; k < kAverages; ++k) all_whole = all_whole && whole(s.averages[k]);
    if (all_whole) {
        for (; i + 4 <= end; i += kThreads * 4) {
            float4 p = *reinterpret_cast<float4*>(s.parameter + i), m = *reinterpret_cast<float4*>(s.exp_avg + i);
            float4 v = *reinterpret_cast<float4*>(s.exp_avg_sq + i);
            const float4 g = *reinterpret_cast<const float4*>(s.gradient + i);
            update_one(p.x, g.x, m.x, v.x, f);
            update_one(p.y, g.y, m.y, v.y, f);
            update_one(p.z, g.z, m.z, v.z, f);
            update_one(p.w, g.w, m.w, v.w, f);
            *reinterpret_cast<float4*>(s.parameter + i) = p;
            *reinterpret_cast<float4*>(s.exp_avg + i) = m;
            *reinterpret_cast<float4*>(s.exp_avg_sq + i) = v;
#pragma unroll
            for (int k = 0; k < kAverages; ++k) {
                if (s.averages[k] == nullptr) continue;
                const AverageFactors& a = f.average[k];
                float4 e = *reinterpret_cast<float4*>(s.averages[k] + i);
                e = make_float4(follow(e.x, p.x, a), follow(e.y, p.y, a), follow(e.z, p.z, a), follow(e.w, p.w, a));
                *reinterpret_cast<float4*>(s.averages[k] + i) = e;
            }
        }
    } else {
        for (; i + 4 <= end; i += kThreads * 4)
            for (int64_t k = i; k < i + 4; ++k) update_alone(s, k, f);
    }
    for (; i < end; ++i) update_alone(s, i, f);  // fewer than four are left to one thread
}

__device__ double sum_of_block(double own) {
    __shared__ double sums[kThreads / 32];
    for (int offset = 16; offset > 0; offset /= 2) own += __shfl_xor_sync(0xffffffffu, own, offset);
    if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = own;
    __syncthreads();
    double total = 0;
    for (const double sum : sums) total += sum;
    return total;
}

__global__ void squares_kernel(GpuSpans spans, double* scratch) {
    int64_t begin;
    const AdamSpan s = part_of(spans, begin);
    const int64_t end = min(s.count, begin + kGpuSpanBlock);
    float own = 0;  // the sum of at most 32 squares
    for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) own = fmaf(s.gradient[i], s.gradient[i], own);
    const double sum = sum_of_block(own);
    if (threadIdx.x == 0) scratch[blockIdx.x] = sum;
}

__global__ void norm_kernel(int64_t blocks, const double* scratch, double* norm) {
    double own = 0;
    for (int64_t i = threadIdx.x; i < blocks; i += kThreads) own += scratch[i];
    const double sum = sum_of_block(own);
    if (threadIdx.x == 0) norm[0] = sqrt(sum);
}

}  // namespace

void gpu_adam_update(const GpuSpans& spans, const AdamUpdate& u, cudaStream_t stream) {
    adam_kernel<<<static_cast<unsigned>(spans.blocks), kThreads, 0, stream>>>(spans, AdamFactors(u));
    check_cuda(cudaGetLastError(), "Adam");
}

void gpu_gradient_norm(const GpuSpans& spans, double* scratch, double* norm, cudaStream_t stream) {
    squares_kernel<<<static_cast<unsigned>(spans.blocks), kThreads, 0, stream>>>(spans, scratch);
    norm_kernel<<<1, kThreads, 0, stream>>>(spans.blocks, scratch, norm);
    check_cuda(cudaGetLastError(), "the gradient's norm");
}

}  // namespace ddpm::kernels
