#pragma once

#include <cstdint>

namespace ddpm::kernels {

// softmax(q kᵀ/√d)·v for every image and head. The matrix of weights is not kept: each pass computes it in blocks of rows
// (Dao et al., arXiv 2205.14135). Arithmetic is float32; the tensors are float or bfloat16 (uint16_t).
struct AttentionShape {
    int64_t images = 0, tokens = 0, heads = 0, head_dim = 0;  // tokens and head_dim: multiples of 32
};

// qkv: [images, tokens, 3, heads, head_dim]. out: [images, tokens, heads, head_dim]. log_sums: [images, heads, tokens],
// the logarithms of softmax's denominators.
template <class T>
void attention_forward(const AttentionShape& shape, const T* qkv, T* out, float* log_sums);

// Writes the gradient of qkv, shaped like it, to dqkv. dout is shaped like out.
template <class T>
void attention_backward(const AttentionShape& shape, const T* qkv, const T* out, const float* log_sums, const T* dout, T* dqkv);

}  // namespace ddpm::kernels
