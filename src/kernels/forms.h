#pragma once

#include "ddpm/kernels/kernels.h"

namespace ddpm {

// The entries of kernel_table().
at::Tensor plain_conv3x3(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                         const at::Tensor& residual, PackedWeight& packed);
at::Tensor plain_norm(const at::Tensor& x, const NormArguments& arguments);

at::Tensor fast_conv3x3(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                        const at::Tensor& residual, PackedWeight& packed);
at::Tensor fast_norm(const at::Tensor& x, const NormArguments& arguments);

}  // namespace ddpm
