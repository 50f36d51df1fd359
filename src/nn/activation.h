#pragma once

#include <string>

#include <ATen/core/Tensor.h>

namespace ddpm::nn {

struct Activation {
    at::Tensor (*apply)(const at::Tensor&) = nullptr;
    bool is_silu = false;  // normalizations can apply it on the way

    at::Tensor operator()(const at::Tensor& x) const { return apply(x); }
};

// Returns silu (also called swish), mish, gelu (by erf) or relu. Any other name is a user_error.
Activation activation(const std::string& name);

}  // namespace ddpm::nn
