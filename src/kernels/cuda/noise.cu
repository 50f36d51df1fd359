#include "kernels/cuda/noise.h"

#include "kernels/cuda/launch.h"

namespace ddpm::kernels {

namespace {

struct Stream {
    uint32_t key[2], counter[4];
};

// philox4x32 of core/random.
__device__ void philox(uint32_t (&counter)[4], uint32_t key0, uint32_t key1) {
#pragma unroll
    for (int round = 0; round < 10; ++round) {
        const uint32_t high0 = __umulhi(0xD2511F53u, counter[0]), low0 = 0xD2511F53u * counter[0];
        const uint32_t high1 = __umulhi(0xCD9E8D57u, counter[2]), low1 = 0xCD9E8D57u * counter[2];
        counter[0] = high1 ^ counter[1] ^ key0;
        counter[1] = low1;
        counter[2] = high0 ^ counter[3] ^ key1;
        counter[3] = low0;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
}

__device__ double uniform(uint32_t low, uint32_t high) {
    return static_cast<double>(((static_cast<uint64_t>(high) << 32) | low) >> 11) * 0x1.0p-53;
}

// A block of the stream is two uniform numbers, and those are two normal ones.
__global__ void normal_kernel(int64_t columns, Stream stream, float* out) {
    const int64_t block = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x, column = 2 * block;
    if (column >= columns) return;
    uint32_t bits[4] = {stream.counter[0] + static_cast<uint32_t>(block), stream.counter[1] + blockIdx.y, stream.counter[2],
                        stream.counter[3]};
    philox(bits, stream.key[0], stream.key[1]);
    const double radius = sqrt(-2.0 * log1p(-uniform(bits[0], bits[1])));
    double sine, cosine;
    sincospi(2.0 * uniform(bits[2], bits[3]), &sine, &cosine);
    float* to = out + blockIdx.y * columns + column;
    to[0] = static_cast<float>(radius * cosine);
    if (column + 1 < columns) to[1] = static_cast<float>(radius * sine);
}

// A thread makes one block of random bits, which decides about four numbers of an example.
__global__ void dropout_mask_kernel(int64_t size, uint64_t threshold, const int64_t* seeds, uint32_t layer, bool* kept) {
    const int64_t block = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x, first = 4 * block;
    if (first >= size) return;
    const uint64_t seed = static_cast<uint64_t>(seeds[blockIdx.y]);
    uint32_t bits[4] = {static_cast<uint32_t>(block), layer, 0, 0};
    philox(bits, static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
    bool* to = kept + blockIdx.y * size + first;
#pragma unroll
    for (int k = 0; k < 4; ++k)
        if (first + k < size) to[k] = bits[k] >= threshold;
}

constexpr int kThreads = 128;
constexpr int64_t kMostRows = 65535;  // of a grid

// Calls launch(first row, grid) with a thread for every `numbers` of a row, for as many rows at a time as a grid takes.
template <class Launch>
void for_rows(int64_t rows, int64_t size, int64_t numbers, const Launch& launch) {
    for (int64_t row = 0; row < rows; row += kMostRows) {
        const int64_t count = rows - row < kMostRows ? rows - row : kMostRows;
        const int64_t a_block = numbers * kThreads;
        launch(row, dim3(static_cast<unsigned>((size + a_block - 1) / a_block), static_cast<unsigned>(count)));
    }
}

}  // namespace

void gpu_fill_normal(int64_t rows, int64_t columns, std::array<uint32_t, 2> key, std::array<uint32_t, 4> counter, float* out,
                     cudaStream_t stream) {
    for_rows(rows, columns, 2, [&](int64_t row, dim3 grid) {
        const Stream first{{key[0], key[1]}, {counter[0], counter[1] + static_cast<uint32_t>(row), counter[2], counter[3]}};
        normal_kernel<<<grid, kThreads, 0, stream>>>(columns, first, out + row * columns);
    });
    check_cuda(cudaGetLastError(), "noise");
}

void gpu_fill_dropout_mask(int64_t rows, int64_t size, uint64_t threshold, const int64_t* seeds, uint32_t layer, bool* kept,
                           cudaStream_t stream) {
    for_rows(rows, size, 4, [&](int64_t row, dim3 grid) {
        dropout_mask_kernel<<<grid, kThreads, 0, stream>>>(size, threshold, seeds + row, layer, kept + row * size);
    });
    check_cuda(cudaGetLastError(), "dropout");
}

}  // namespace ddpm::kernels
