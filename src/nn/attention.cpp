#include "nn/attention.h"

#include <ATen/ATen.h>

namespace ddpm {

Attention::Attention(const AttentionOptions& options)
    : torch::nn::Module("Attention"),
      heads_(options.channels / options.head_dim),
      head_dim_(options.head_dim),
      scale_factor_(options.scale_factor) {
    const int64_t channels = options.channels, inner = heads_ * head_dim_;
    if (options.norm_groups > 0)
        group_norm_ = register_module(
            "group_norm",
            torch::nn::GroupNorm(torch::nn::GroupNormOptions(options.norm_groups, channels).eps(options.norm_eps)));
    to_q_ = register_module("to_q", torch::nn::Linear(channels, inner));
    to_k_ = register_module("to_k", torch::nn::Linear(channels, inner));
    to_v_ = register_module("to_v", torch::nn::Linear(channels, inner));
    to_out_ = torch::nn::Linear(inner, channels);
    register_module("to_out", torch::nn::ModuleList(to_out_));
}

at::Tensor Attention::forward(const at::Tensor& x) {
    const int64_t count = x.size(0), channels = x.size(1), pixels = x.size(2) * x.size(3);
    const at::Tensor normed = group_norm_.is_empty() ? x : group_norm_(x);
    const at::Tensor tokens = normed.reshape({count, channels, pixels}).transpose(1, 2);
    // One product for q, k and v: half the time of three, forward.
    const at::Tensor qkv = at::linear(tokens, at::cat({to_q_->weight, to_k_->weight, to_v_->weight}),
                                      at::cat({to_q_->bias, to_k_->bias, to_v_->bias}));
    const std::vector<at::Tensor> parts = qkv.view({count, pixels, 3, heads_, head_dim_}).unbind(2);
    const at::Tensor attended =
        at::scaled_dot_product_attention(parts[0].transpose(1, 2), parts[1].transpose(1, 2), parts[2].transpose(1, 2));
    const at::Tensor out = to_out_(attended.transpose(1, 2).reshape({count, pixels, heads_ * head_dim_}));
    const at::Tensor sum = out.transpose(1, 2).reshape(x.sizes()) + x;
    return scale_factor_ == 1 ? sum : sum / scale_factor_;
}

}  // namespace ddpm
