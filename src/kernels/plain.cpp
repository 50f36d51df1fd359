#include <ATen/ATen.h>

#include "kernels/forms.h"

namespace ddpm::kernels {

namespace {

at::Tensor over_pixels(const at::Tensor& per_image) { return per_image.unsqueeze(2).unsqueeze(3); }

}  // namespace

at::Tensor plain_conv3x3(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& residual) {
    const at::Tensor y = at::conv2d(x, weight, bias, 1, 1);
    return residual.defined() ? residual + y : y;
}

at::Tensor plain_norm(const at::Tensor& x, const NormArguments& arguments) {
    at::Tensor y = at::group_norm(arguments.shift.defined() ? x + over_pixels(arguments.shift) : x, arguments.groups,
                                  arguments.weight, arguments.bias, arguments.eps);
    if (arguments.scale.defined()) y = y * over_pixels(arguments.scale) + over_pixels(arguments.offset);
    return arguments.silu ? at::silu(y) : y;
}

at::Tensor plain_norm_conv3x3(const at::Tensor& x, const NormArguments& arguments, const at::Tensor& weight, const at::Tensor& bias,
                              const at::Tensor& residual) {
    return plain_conv3x3(plain_norm(x, arguments), weight, bias, residual);
}

at::Tensor plain_conv1x1(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
    return at::conv2d(x, weight, bias);
}

at::Tensor plain_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& residual) {
    const at::Tensor y = at::linear(x, weight, bias);
    return residual.defined() ? y + residual : y;
}

at::Tensor plain_attention(const at::Tensor& qkv) {
    const std::vector<at::Tensor> parts = qkv.unbind(2);
    return at::scaled_dot_product_attention(parts[0].transpose(1, 2), parts[1].transpose(1, 2), parts[2].transpose(1, 2))
        .transpose(1, 2)
        .reshape({qkv.size(0), qkv.size(1), qkv.size(3) * qkv.size(4)});
}

double plain_gradient_norm(const std::vector<at::Tensor>& gradients) {
    return at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients, 2))).item<double>();
}

void plain_adam(const AdamTensors& tensors, const AdamUpdate& u) {
    std::vector<at::Tensor> gradients = tensors.gradients;
    if (u.gradient_scale != 1) gradients = at::_foreach_mul(gradients, u.gradient_scale);
    const at::Tensor count = at::full({}, static_cast<double>(u.step), gradients.front().options().dtype(at::kFloat));
    const std::vector<at::Tensor> counts(gradients.size(), count);
    const auto run = [&](auto fused) {
        fused(tensors.parameters, gradients, tensors.exp_avg, tensors.exp_avg_sq, at::TensorList{}, counts, u.learning_rate,
              u.beta1, u.beta2, u.weight_decay, u.epsilon, /*amsgrad=*/false, /*maximize=*/false);
    };
    if (u.decoupled)
        run([](const auto&... arguments) { at::_fused_adamw_(arguments...); });
    else
        run([](const auto&... arguments) { at::_fused_adam_(arguments...); });
    if (!tensors.averages.empty()) at::_foreach_lerp_(tensors.averages, tensors.parameters, 1 - u.ema_decay);
    for (size_t k = 0; k < tensors.more_averages.size(); ++k)
        at::_foreach_lerp_(tensors.more_averages[k], tensors.parameters, 1 - u.more_decays[k]);
}

}  // namespace ddpm::kernels
