#pragma once

#include "ddpm/kernels/kernels.h"

namespace ddpm::kernels {

// The entries of kernel_table().
at::Tensor plain_conv3x3(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& residual);
at::Tensor plain_norm(const at::Tensor& x, const NormArguments& arguments);
at::Tensor plain_norm_conv3x3(const at::Tensor& x, const NormArguments& arguments, const at::Tensor& weight, const at::Tensor& bias,
                              const at::Tensor& residual);
at::Tensor plain_conv1x1(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);
at::Tensor plain_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& residual);
at::Tensor plain_attention(const at::Tensor& qkv);
double plain_gradient_norm(const std::vector<at::Tensor>& gradients);
void plain_adam(const AdamTensors& tensors, const AdamUpdate& update);

at::Tensor fast_conv3x3(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& residual);
at::Tensor fast_norm(const at::Tensor& x, const NormArguments& arguments);
at::Tensor fast_norm_conv3x3(const at::Tensor& x, const NormArguments& arguments, const at::Tensor& weight, const at::Tensor& bias,
                             const at::Tensor& residual);
at::Tensor fast_conv1x1(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);
at::Tensor fast_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& residual);
at::Tensor fast_attention(const at::Tensor& qkv);
double fast_gradient_norm(const std::vector<at::Tensor>& gradients);
void fast_adam(const AdamTensors& tensors, const AdamUpdate& update);

}  // namespace ddpm::kernels
