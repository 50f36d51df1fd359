#pragma once

#include <string>

#include <ATen/core/Tensor.h>

namespace ddpm {

struct Activation {
    at::Tensor (*apply)(const at::Tensor&) = nullptr;
    bool is_silu = false;  // which normalizations do on the way

    at::Tensor operator()(const at::Tensor& x) const { return apply(x); }
};

// silu (also called swish), mish, gelu (by erf) or relu.
Activation activation(const std::string& name);

}  // namespace ddpm
