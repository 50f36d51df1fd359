#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/normalization.h>

#include "ddpm/kernels/kernels.h"

namespace ddpm::nn {

struct AttentionOptions {
    int64_t channels = 0;
    int64_t head_dim = 0;     // heads = channels / head_dim, rounded down
    int64_t norm_groups = 0;  // 0: no norm
    double norm_eps = 0;
    double scale_factor = 1;  // the result is divided by this
    const Kernels* kernels = &plain_kernels();
};

// Self-attention over the pixels of a feature map, with a residual connection:
// x + to_out(softmax(q kᵀ / √head_dim) v), where q, k, v are linear maps of group_norm(x).
class Attention : public torch::nn::Module {
public:
    explicit Attention(const AttentionOptions& options);

    at::Tensor forward(const at::Tensor& x);  // [N, C, H, W] to the same

private:
    AttentionOptions options_;
    int64_t heads_;
    torch::nn::GroupNorm group_norm_{nullptr};
    torch::nn::Linear to_q_{nullptr}, to_k_{nullptr}, to_v_{nullptr}, to_out_{nullptr};
};

}  // namespace ddpm::nn
