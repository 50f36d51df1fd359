#include "nn/activation.h"

#include <ATen/ops/gelu.h>
#include <ATen/ops/mish.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/silu.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"

namespace ddpm::nn {

Activation activation(const std::string& name) {
    if (name == "silu" || name == "swish") return {[](const at::Tensor& x) { return at::silu(x); }, true};
    if (name == "mish") return {[](const at::Tensor& x) { return at::mish(x); }};
    if (name == "gelu") return {[](const at::Tensor& x) { return at::gelu(x); }};
    if (name == "relu") return {[](const at::Tensor& x) { return at::relu(x); }};
    user_error("act_fn: " + unknown_name("activation", name, {"silu", "swish", "mish", "gelu", "relu"}));
}

}  // namespace ddpm::nn
