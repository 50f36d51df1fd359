#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/kernels/adam.h"

namespace ddpm {

// What follows a convolution's input: y = act(scale·(weight·h + bias) + offset), h the group normalization of x + shift.
// Undefined tensors are left out; scale and offset come together.
struct NormArguments {
    at::Tensor weight, bias;  // [C]
    int64_t groups = 0;
    double eps = 0;
    bool silu = false;         // act: SiLU or none
    at::Tensor shift;          // [N, C]
    at::Tensor scale, offset;  // [N, C]
};

// What an optimizer's step reads and changes, tensor by tensor; averages may be empty.
struct AdamTensors {
    const std::vector<at::Tensor>&parameters, &gradients, &exp_avg, &exp_avg_sq, &averages;
};

// The operations that a U-Net spends its time in, in two forms of one meaning: `plain` is LibTorch's operators and the
// reference; `fast` has hand-written ones for the CPU and, in a build with CUDA sources, for a GPU, float32 and bfloat16, and
// is plain wherever they don't fit. All but the last two are differentiable. Images are [N,C,H,W] in either memory format;
// fast results are channels_last.
struct Kernels {
    std::string name, summary;
    bool channels_last;  // the memory format to enter with

    // 3×3, stride 1, padding 1: conv(x) + bias [+ residual].
    at::Tensor (*conv3x3)(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& residual);
    at::Tensor (*norm)(const at::Tensor& x, const NormArguments& arguments);
    // conv3x3(norm(x)).
    at::Tensor (*norm_conv3x3)(const at::Tensor& x, const NormArguments& arguments, const at::Tensor& weight,
                               const at::Tensor& bias, const at::Tensor& residual);
    // 1×1: weight [out, in, 1, 1].
    at::Tensor (*conv1x1)(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);
    // Of rows: x [N, L, in], weight [out, in], residual [N, L, out] or undefined.
    at::Tensor (*linear)(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, const at::Tensor& residual);
    // softmax(q kᵀ/√d)·v: qkv [N, L, 3, heads, d] to [N, L, heads·d].
    at::Tensor (*attention)(const at::Tensor& qkv);
    // Without gradients: √Σ g² over all of them, and AdamUpdate.
    double (*gradient_norm)(const std::vector<at::Tensor>& gradients);
    void (*adam)(const AdamTensors& tensors, const AdamUpdate& update);
};

// plain and fast, in this order.
const std::vector<Kernels>& kernel_table();

std::vector<std::string> kernel_names();

// An unknown name is a user_error about `path`.
const Kernels& kernels_named(std::string_view name, std::string_view path);

const Kernels& plain_kernels();

// "fp32" and "bf16" as they are; "auto" is bf16 where these kernels multiply it in one instruction, on the CPU or the GPU,
// which is what makes it pay, and fp32 elsewhere.
std::string settle_precision(const std::string& precision, const Kernels& kernels, bool on_cpu);

// Whether images should enter these kernels channels last, and weights of convolutions lie so on a GPU.
bool prefers_channels_last(const Kernels& kernels, const c10::Device& device);

}  // namespace ddpm
