#pragma once

#include "ddpm/kernels/kernels.h"

namespace ddpm {

// The entries of kernel_table().
at::Tensor plain_conv3x3(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                         const at::Tensor& residual, PackedWeight& packed);
at::Tensor plain_norm(const at::Tensor& x, const NormArguments& arguments);
at::Tensor plain_norm_conv3x3(const at::Tensor& x, const NormArguments& arguments, const at::Tensor& weight,
                             const at::Tensor& bias, const at::Tensor& residual, PackedWeight& packed);
at::Tensor plain_conv1x1(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);
at::Tensor plain_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& residual);
at::Tensor plain_attention(const at::Tensor& qkv);

at::Tensor fast_conv3x3(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                        const at::Tensor& residual, PackedWeight& packed);
at::Tensor fast_norm(const at::Tensor& x, const NormArguments& arguments);
at::Tensor fast_norm_conv3x3(const at::Tensor& x, const NormArguments& arguments, const at::Tensor& weight,
                             const at::Tensor& bias, const at::Tensor& residual, PackedWeight& packed);
at::Tensor fast_conv1x1(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);
at::Tensor fast_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& residual);
at::Tensor fast_attention(const at::Tensor& qkv);

}  // namespace ddpm
