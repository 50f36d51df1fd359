#pragma once

#include <array>
#include <cstdint>

#include <cuda_runtime_api.h>

namespace ddpm::kernels {

// Fills row n of out [rows, columns] as RandomStream::fill_normal does for the stream with this key and this counter, counter[1]
// raised by n. The last bit of a logarithm or a sine may differ, which changes one rounded float32 in many millions.
void gpu_fill_normal(int64_t rows, int64_t columns, std::array<uint32_t, 2> key, std::array<uint32_t, 4> counter, float* out,
                     cudaStream_t stream);

// Fills kept [rows, size] with the masks of dropout_mask (ddpm/kernels/noise.h): false where 32 random bits are below
// `threshold`.
void gpu_fill_dropout_mask(int64_t rows, int64_t size, uint64_t threshold, const int64_t* seeds, uint32_t layer, bool* kept,
                           cudaStream_t stream);

}  // namespace ddpm::kernels
