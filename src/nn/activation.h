#pragma once

#include <string>

#include <ATen/core/Tensor.h>

namespace ddpm {

using Activation = at::Tensor (*)(const at::Tensor&);

// silu (also called swish), mish, gelu (by erf) or relu.
Activation activation(const std::string& name);

}  // namespace ddpm
