#include <ATen/ATen.h>

#include "kernels/forms.h"

namespace ddpm {

namespace {

at::Tensor over_pixels(const at::Tensor& per_image) {
    return per_image.unsqueeze(2).unsqueeze(3);
}

}  // namespace

at::Tensor plain_conv3x3(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                         const at::Tensor& residual, PackedWeight&) {
    const at::Tensor y = at::conv2d(x, weight, bias, 1, 1);
    return residual.defined() ? residual + y : y;
}

at::Tensor plain_norm(const at::Tensor& x, const NormArguments& arguments) {
    at::Tensor y = at::group_norm(arguments.shift.defined() ? x + over_pixels(arguments.shift) : x, arguments.groups,
                                  arguments.weight, arguments.bias, arguments.eps);
    if (arguments.scale.defined()) y = y * over_pixels(arguments.scale) + over_pixels(arguments.offset);
    return arguments.silu ? at::silu(y) : y;
}

}  // namespace ddpm
