#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/kernels/adam.h"

namespace ddpm {

// What a normalization computes of x: y = act(scale·(weight·h + bias) + offset), with h the group normalization of x + shift.
// `shift` may be undefined, and so may `scale` and `offset` together; they are then left out of the formula.
struct NormArguments {
    at::Tensor weight, bias;  // [C]
    int64_t groups = 0;
    double eps = 0;
    bool silu = false;         // act is SiLU; false: the identity
    at::Tensor shift;          // [N, C]
    at::Tensor scale, offset;  // [N, C]
};

// The tensors of an optimizer's step, one in each list for every parameter. Gradients are read, the others are changed in
// place. `averages` may be empty, and so may `more_averages`, which holds further averages, each a list like `averages`; with
// `averages` they are at most kMostAverages. The lists must outlive this.
struct AdamTensors {
    const std::vector<at::Tensor>&parameters, &gradients, &exp_avg, &exp_avg_sq, &averages;
    std::span<const std::vector<at::Tensor>> more_averages{};
};

// The operations in which a U-Net spends its time, in two forms that mean the same. `plain` uses LibTorch's operators and is
// the reference. `fast` has hand-written forms, in float32 and bfloat16, for the CPU and, in a build with CUDA sources, for a
// GPU; it does what plain does where they don't fit. All but the last two are differentiable. Images are [N,C,H,W] in either
// memory format; results of the hand-written forms are channels_last.
struct Kernels {
    std::string name, summary;
    bool channels_last;  // whether images should enter in this memory format (prefers_channels_last)

    // 3×3, stride 1, padding 1: conv(x) + bias [+ residual]. weight [out, in, 3, 3]; bias [out] and residual, shaped like the
    // result, may be undefined.
    at::Tensor (*conv3x3)(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& residual);
    // The y of NormArguments, shaped like x.
    at::Tensor (*norm)(const at::Tensor& x, const NormArguments& arguments);
    // conv3x3(norm(x)).
    at::Tensor (*norm_conv3x3)(const at::Tensor& x, const NormArguments& arguments, const at::Tensor& weight,
                               const at::Tensor& bias, const at::Tensor& residual);
    // 1×1: conv(x) + bias. weight [out, in, 1, 1]; bias [out] or undefined.
    at::Tensor (*conv1x1)(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);
    // x·weightᵀ + bias [+ residual]: x [N, L, in], weight [out, in]; bias [out] and residual [N, L, out] may be undefined.
    at::Tensor (*linear)(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& residual);
    // softmax(q kᵀ/√d)·v: qkv [N, L, 3, heads, d] to [N, L, heads·d].
    at::Tensor (*attention)(const at::Tensor& qkv);
    // √Σ g² over all numbers of all gradients.
    double (*gradient_norm)(const std::vector<at::Tensor>& gradients);
    // The step of AdamUpdate, in place.
    void (*adam)(const AdamTensors& tensors, const AdamUpdate& update);
};

// Returns plain and fast, in this order.
const std::vector<Kernels>& kernel_table();

std::vector<std::string> kernel_names();

// Returns the kernels of a name. An unknown name is a user_error whose key is `path`.
const Kernels& kernels_named(std::string_view name, std::string_view path);

const Kernels& plain_kernels();

// Turns "auto" into "bf16" if these are the fast kernels and the device, the CPU or the current GPU, multiplies bfloat16 in
// hardware, which is what makes it pay; otherwise into "fp32". Returns any other precision as it is.
std::string settle_precision(const std::string& precision, const Kernels& kernels, bool on_cpu);

// Whether images should be channels last when they enter these kernels on this device, and on a GPU also the weights of
// convolutions.
bool prefers_channels_last(const Kernels& kernels, const c10::Device& device);

}  // namespace ddpm
