#include "kernels/cuda/norm_act.h"

#include <algorithm>
#include <numeric>

#include <cuda_pipeline.h>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/vector.cuh"

// One block has a slab: some whole groups of one image, with all pixels. A slab that fits into shared memory is read from the
// GPU's memory once, and that reading is what the operation costs. A larger one is read again in each pass.

namespace ddpm::kernels {

namespace {

// How a block's threads share a slab: thread i has the vector of channels i % vectors at the pixels i / vectors,
// i / vectors + rows, …
struct Slab {
    int channels = 0;  // of the slab
    int vectors = 0;   // of kLanes channels
    int rows = 0;      // threads = vectors · rows
    bool resident = true;
    size_t shared_bytes = 0;
};

constexpr int kThreads = 256;

__host__ __device__ inline int row_stride(int rows) { return rows + 8; }  // of the partial sums: no two lanes use one bank

template <class T>
__device__ inline void copy_async(T* to, const T* from) {
    constexpr int bytes = kLanes * static_cast<int>(sizeof(T));
#pragma unroll
    for (int i = 0; i < bytes; i += 16)
        __pipeline_memcpy_async(reinterpret_cast<char*>(to) + i, reinterpret_cast<const char*>(from) + i, 16);
}

// Sums own[term][lane] over all threads with the same channels, into totals[term · channels + channel].
template <int kTerms>
__device__ void sum_over_pixels(const float (&own)[kTerms][kLanes], const Slab& slab, float* partial, float* totals) {
    const int threads = slab.vectors * slab.rows, stride = row_stride(slab.rows);
    const int vector = threadIdx.x % slab.vectors, row = threadIdx.x / slab.vectors;
    // Only whole warps add up: the last threads of a block may not fill one.
    const int warps = threads / 32, warp = threadIdx.x / 32, place = threadIdx.x % 32;
#pragma unroll
    for (int term = 0; term < kTerms; ++term) {
#pragma unroll
        for (int lane = 0; lane < kLanes; ++lane) partial[(vector * kLanes + lane) * stride + row] = own[term][lane];
        __syncthreads();
        for (int channel = warp < warps ? warp : slab.channels; channel < slab.channels; channel += warps) {
            float value = 0;
            for (int i = place; i < slab.rows; i += 32) value += partial[channel * stride + i];
#pragma unroll
            for (int offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(0xffffffffu, value, offset);
            if (place == 0) totals[term * slab.channels + channel] = value;
        }
        __syncthreads();
    }
}

// 1/(1 + e^−u) to the precision of what is stored: for bfloat16 the GPU's own tanh will do, which is good to 11 bits.
template <class T>
__device__ inline float sigmoid(float u) {
    if constexpr (sizeof(T) == 2) {
        float t;
        asm("tanh.approx.f32 %0, %1;" : "=f"(t) : "f"(0.5f * u));
        return fmaf(0.5f, t, 0.5f);
    } else {
        return __fdividef(1.0f, 1.0f + __expf(-u));
    }
}

// The slope of SiLU at u.
template <class T>
__device__ inline float slope_at(float u) {
    const float s = sigmoid<T>(u);
    return fmaf(s, fmaf(-u, s, u), s);
}

// The slab's numbers, in shared memory or in the GPU's memory.
template <class T>
struct Pixels {
    const T* data;
    int64_t stride;  // from pixel to pixel
    __device__ void load(int pixel, float (&to)[kLanes]) const { load8(data + pixel * stride, to); }
};

template <class T, bool kResident>
__device__ Pixels<T> fetch(const T* from, int channels, int pixels, const Slab& slab, T* shared) {
    const int vector = threadIdx.x % slab.vectors, row = threadIdx.x / slab.vectors;
    if constexpr (kResident) {
        for (int p = row; p < pixels; p += slab.rows)
            copy_async(shared + p * slab.channels + vector * kLanes, from + static_cast<int64_t>(p) * channels + vector * kLanes);
        return {shared + vector * kLanes, slab.channels};
    } else {
        return {from + vector * kLanes, channels};
    }
}

template <bool kResident>
__device__ void wait_for_fetched() {
    if constexpr (kResident) {
        __pipeline_commit();
        __pipeline_wait_prior(0);
    }  // no barrier is needed: each thread reads only what it has fetched itself
}

template <class T, bool kResident>
__global__ void forward_kernel(NormShape shape, Slab slab, GpuNormInput<T> input, T* y, float* mean, float* rstd) {
    extern __shared__ __align__(16) unsigned char memory[];
    const int channels = static_cast<int>(shape.channels), pixels = static_cast<int>(shape.pixels);
    const int group_size = channels / static_cast<int>(shape.groups), groups = slab.channels / group_size;
    const int64_t image = blockIdx.y;
    const int first = blockIdx.x * slab.channels, vector = threadIdx.x % slab.vectors, row = threadIdx.x / slab.vectors;
    float* totals = reinterpret_cast<float*>(memory);
    float* statistics = totals + slab.channels;  // mean and rstd of each group
    float* partial = statistics + 2 * groups;
    T* tile = reinterpret_cast<T*>(memory + slab.shared_bytes) - (kResident ? static_cast<int64_t>(pixels) * slab.channels : 0);

    const int64_t offset = image * pixels * channels + first;
    const auto x = fetch<T, kResident>(input.x + offset, channels, pixels, slab, tile);
    const int channel = first + vector * kLanes;
    float shift[kLanes] = {}, own[1][kLanes] = {}, values[kLanes];
    if (input.shift != nullptr) load8(input.shift + image * channels + channel, shift);
    wait_for_fetched<kResident>();

    for (int p = row; p < pixels; p += slab.rows) {
        x.load(p, values);
#pragma unroll
        for (int i = 0; i < kLanes; ++i) own[0][i] += values[i];
    }
#pragma unroll
    for (int i = 0; i < kLanes; ++i) own[0][i] += shift[i] * static_cast<float>((pixels - row + slab.rows - 1) / slab.rows);
    sum_over_pixels(own, slab, partial, totals);
    const float count = static_cast<float>(pixels) * static_cast<float>(group_size);
    for (int g = threadIdx.x; g < groups; g += blockDim.x) {
        float sum = 0;
        for (int c = 0; c < group_size; ++c) sum += totals[g * group_size + c];
        statistics[2 * g] = sum / count;
    }
    __syncthreads();

    float centre[kLanes];  // of x, so that x − centre is x + shift − mean
#pragma unroll
    for (int i = 0; i < kLanes; ++i) {
        centre[i] = statistics[2 * ((vector * kLanes + i) / group_size)] - shift[i];
        own[0][i] = 0;
    }
    for (int p = row; p < pixels; p += slab.rows) {
        x.load(p, values);
#pragma unroll
        for (int i = 0; i < kLanes; ++i) own[0][i] += (values[i] - centre[i]) * (values[i] - centre[i]);
    }
    sum_over_pixels(own, slab, partial, totals);
    for (int g = threadIdx.x; g < groups; g += blockDim.x) {
        float sum = 0;
        for (int c = 0; c < group_size; ++c) sum += totals[g * group_size + c];
        const float inverse = rsqrtf(sum / count + static_cast<float>(shape.eps));
        statistics[2 * g + 1] = inverse;
        const int64_t at = image * shape.groups + first / group_size + g;
        mean[at] = statistics[2 * g];
        rstd[at] = inverse;
    }
    __syncthreads();

    float gamma[kLanes], beta[kLanes];  // so that u = γ·x + β
    load8(input.gamma + image * input.affine_stride + channel, gamma);
    load8(input.beta + image * input.affine_stride + channel, beta);
#pragma unroll
    for (int i = 0; i < kLanes; ++i) {
        gamma[i] *= statistics[2 * ((vector * kLanes + i) / group_size) + 1];
        beta[i] = fmaf(-centre[i], gamma[i], beta[i]);
    }
    T* out = y + offset + vector * kLanes;
    for (int p = row; p < pixels; p += slab.rows) {
        x.load(p, values);
#pragma unroll
        for (int i = 0; i < kLanes; ++i) {
            const float u = fmaf(values[i], gamma[i], beta[i]);
            values[i] = shape.silu ? u * sigmoid<T>(u) : u;
        }
        store8(out + static_cast<int64_t>(p) * channels, values);
    }
}

template <class T, bool kResident>
__global__ void backward_kernel(NormShape shape, Slab slab, GpuNormInput<T> input, const T* dy, const float* mean,
                                const float* rstd, T* dx, float* daffine, T* dshift) {
    extern __shared__ __align__(16) unsigned char memory[];
    const int channels = static_cast<int>(shape.channels), pixels = static_cast<int>(shape.pixels);
    const int group_size = channels / static_cast<int>(shape.groups), groups = slab.channels / group_size;
    const int64_t image = blockIdx.y;
    const int first = blockIdx.x * slab.channels, vector = threadIdx.x % slab.vectors, row = threadIdx.x / slab.vectors;
    float* totals = reinterpret_cast<float*>(memory);  // Σ du, Σ du·h, Σ h of each channel
    float* means = totals + 3 * slab.channels;         // of γ·du and γ·du·h in each group
    float* partial = means + 2 * groups;
    const int64_t tile_size = kResident ? static_cast<int64_t>(pixels) * slab.channels : 0;
    T* tile = reinterpret_cast<T*>(memory + slab.shared_bytes) - 2 * tile_size;

    const int64_t offset = image * pixels * channels + first;
    const auto x = fetch<T, kResident>(input.x + offset, channels, pixels, slab, tile);
    const auto slope = fetch<T, kResident>(dy + offset, channels, pixels, slab, tile + tile_size);

    const int channel = first + vector * kLanes;
    float gamma[kLanes], beta[kLanes], scale[kLanes], offset_h[kLanes], shift[kLanes] = {};  // h = scale·x + offset_h
    load8(input.gamma + image * input.affine_stride + channel, gamma);
    load8(input.beta + image * input.affine_stride + channel, beta);
    if (input.shift != nullptr) load8(input.shift + image * channels + channel, shift);
#pragma unroll
    for (int i = 0; i < kLanes; ++i) {
        const int64_t group = image * shape.groups + (channel + i) / group_size;
        scale[i] = rstd[group];
        offset_h[i] = (shift[i] - mean[group]) * scale[i];
    }
    wait_for_fetched<kResident>();

    // du, the gradient before the activation, takes the place of dy if that is in shared memory.
    float own[3][kLanes] = {}, values[kLanes], slopes[kLanes];
    const auto du_of = [&](int p) {
        slope.load(p, slopes);
        if (!shape.silu) return;
#pragma unroll
        for (int i = 0; i < kLanes; ++i) slopes[i] *= slope_at<T>(fmaf(fmaf(values[i], scale[i], offset_h[i]), gamma[i], beta[i]));
    };
    for (int p = row; p < pixels; p += slab.rows) {
        x.load(p, values);
        du_of(p);
        if (kResident && shape.silu) store8(tile + tile_size + p * slab.channels + vector * kLanes, slopes);
#pragma unroll
        for (int i = 0; i < kLanes; ++i) {
            const float h = fmaf(values[i], scale[i], offset_h[i]);
            own[0][i] += slopes[i];
            own[1][i] = fmaf(slopes[i], h, own[1][i]);
            own[2][i] += h;
        }
    }
    sum_over_pixels(own, slab, partial, totals);
    const float count = static_cast<float>(pixels) * static_cast<float>(group_size);
    const float* affine = input.gamma + image * input.affine_stride + first;
    for (int g = threadIdx.x; g < groups; g += blockDim.x) {
        float plain = 0, weighted = 0;
        for (int c = g * group_size; c < (g + 1) * group_size; ++c) {
            plain += affine[c] * totals[c];
            weighted += affine[c] * totals[slab.channels + c];
        }
        means[2 * g] = plain / count;
        means[2 * g + 1] = weighted / count;
    }
    __syncthreads();
    for (int c = threadIdx.x; c < slab.channels; c += blockDim.x) {
        const int64_t at = image * channels + first + c;
        float* of_image = daffine + image * 2 * channels + first;
        of_image[c] = totals[slab.channels + c];
        of_image[channels + c] = totals[c];
        if (dshift != nullptr) {
            const int g = c / group_size;
            assign(dshift[at], rstd[image * shape.groups + first / group_size + g] *
                                   (affine[c] * totals[c] - static_cast<float>(pixels) * means[2 * g] -
                                    means[2 * g + 1] * totals[2 * slab.channels + c]));
        }
    }

    // dx = rstd·(γ·du − mean(γ·du) − h·mean(γ·du·h)) = a·du + b·x + c
    float a[kLanes], b[kLanes], c[kLanes];
#pragma unroll
    for (int i = 0; i < kLanes; ++i) {
        const int g = (vector * kLanes + i) / group_size;
        a[i] = scale[i] * gamma[i];
        b[i] = -scale[i] * scale[i] * means[2 * g + 1];
        c[i] = -scale[i] * fmaf(offset_h[i], means[2 * g + 1], means[2 * g]);
    }
    T* out = dx + offset + vector * kLanes;
    for (int p = row; p < pixels; p += slab.rows) {
        x.load(p, values);
        if constexpr (kResident)
            slope.load(p, slopes);
        else
            du_of(p);
#pragma unroll
        for (int i = 0; i < kLanes; ++i) values[i] = fmaf(a[i], slopes[i], fmaf(b[i], values[i], c[i]));
        store8(out + static_cast<int64_t>(p) * channels, values);
    }
}

int shared_memory_limit() {
    static const int limit = [] {
        int device = 0, bytes = 0;
        check_cuda(cudaGetDevice(&device), "the current device");
        check_cuda(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device), "its shared memory");
        return bytes;
    }();
    return limit;
}

// Channels in the smallest slab: whole groups, whole vectors.
int64_t smallest_slab(const NormShape& shape) { return std::lcm(shape.channels / shape.groups, int64_t{kLanes}); }

// Chooses the widest slab of which five fit into a multiprocessor at once, so that some read while others compute; else the
// widest of which three fit, or two, or one; else one that stays in the GPU's memory. A slab narrower than 32 bytes would fetch
// bytes that it does not need.
Slab plan(const NormShape& shape, int64_t element_bytes, int64_t tiles, int64_t terms) {
    const int64_t smallest = smallest_slab(shape), limit = shared_memory_limit();
    const auto make = [&](int64_t channels, bool resident) {
        Slab slab;
        slab.channels = static_cast<int>(channels);
        slab.vectors = static_cast<int>(channels / kLanes);
        const int64_t most = std::max<int64_t>(kThreads / slab.vectors, 1), enough = (shape.pixels + 1) / 2;
        const int64_t warp = (32 + slab.vectors - 1) / slab.vectors;  // at least a whole warp
        slab.rows = static_cast<int>(std::max(std::min(most, enough), warp));
        slab.resident = resident;
        const int64_t sums = channels * (row_stride(slab.rows) + terms) + 2 * channels / (shape.channels / shape.groups);
        const int64_t before = (sums * static_cast<int64_t>(sizeof(float)) + 15) / 16 * 16;
        slab.shared_bytes = static_cast<size_t>(before + (resident ? tiles * shape.pixels * channels * element_bytes : 0));
        return slab;
    };
    Slab best;
    for (const int64_t blocks : {5, 3, 2, 1}) {
        const int64_t allowed = blocks == 1 ? limit : limit / blocks - 1024;  // the system takes a KiB for each block
        for (int64_t channels = smallest; channels <= shape.channels && channels * element_bytes <= 128; channels += smallest) {
            if (shape.channels % channels != 0) continue;
            const bool narrow = channels * element_bytes < 32 && channels < shape.channels && best.channels == 0;
            const Slab slab = make(channels, true);
            if (!narrow && static_cast<int64_t>(slab.shared_bytes) <= allowed) best = slab;
        }
        if (best.channels > 0) return best;
    }
    int64_t channels = smallest;
    while (channels * element_bytes < 64 && 2 * channels <= shape.channels && shape.channels % (2 * channels) == 0) channels *= 2;
    return make(channels, false);
}

template <class Kernel, class... Arguments>
void launch(Kernel kernel, const NormShape& shape, const Slab& slab, cudaStream_t stream, const Arguments&... arguments) {
    check_cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(slab.shared_bytes)),
               "group normalization: its shared memory");
    const dim3 grid(static_cast<unsigned>(shape.channels / slab.channels), static_cast<unsigned>(shape.images));
    kernel<<<grid, static_cast<unsigned>(slab.vectors * slab.rows), slab.shared_bytes, stream>>>(shape, slab, arguments...);
    check_cuda(cudaGetLastError(), "group normalization");
}

}  // namespace

bool gpu_norm_act_fits(const NormShape& shape) {
    const int64_t smallest = smallest_slab(shape);
    return shape.channels % smallest == 0 && smallest <= 512 && shape.images <= 65535 &&
           shape.pixels * shape.channels < (int64_t{1} << 31);
}

template <class T>
void gpu_norm_act_forward(const NormShape& shape, const GpuNormInput<T>& input, T* y, float* mean, float* rstd,
                          cudaStream_t stream) {
    const Slab slab = plan(shape, sizeof(T), 1, 1);
    launch(slab.resident ? forward_kernel<T, true> : forward_kernel<T, false>, shape, slab, stream, input, y, mean, rstd);
}

template <class T>
void gpu_norm_act_backward(const NormShape& shape, const GpuNormInput<T>& input, const T* dy, const float* mean, const float* rstd,
                           T* dx, float* daffine, T* dshift, cudaStream_t stream) {
    const Slab slab = plan(shape, sizeof(T), 2, 3);
    launch(slab.resident ? backward_kernel<T, true> : backward_kernel<T, false>, shape, slab, stream, input, dy, mean, rstd, dx,
           daffine, dshift);
}

template void gpu_norm_act_forward(const NormShape&, const GpuNormInput<float>&, float*, float*, float*, cudaStream_t);
template void gpu_norm_act_forward(const NormShape&, const GpuNormInput<__nv_bfloat16>&, __nv_bfloat16*, float*, float*,
                                   cudaStream_t);
template void gpu_norm_act_backward(const NormShape&, const GpuNormInput<float>&, const float*, const float*, const float*, float*,
                                    float*, float*, cudaStream_t);
template void gpu_norm_act_backward(const NormShape&, const GpuNormInput<__nv_bfloat16>&, const __nv_bfloat16*, const float*,
                                    const float*, __nv_bfloat16*, float*, __nv_bfloat16*, cudaStream_t);

}  // namespace ddpm::kernels
