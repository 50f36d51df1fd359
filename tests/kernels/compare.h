#pragma once

#include <functional>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "ddpm/kernels/kernels.h"

// Compares a fast kernel on any device with the plain one in float64 on the CPU.
namespace ddpm {

inline const Kernels& fast() { return kernels_named("fast", "test"); }

inline at::Tensor normal(at::IntArrayRef sizes) { return at::randn(sizes, at::kDouble); }

// The largest and the root-mean-square difference, relative to the RMS of `exact`.
struct Distance {
    double max, rms;
};
inline Distance distance(const at::Tensor& x, const at::Tensor& exact) {
    const at::Tensor d = (x.to(at::kDouble) - exact).abs();
    const double scale = exact.square().mean().sqrt().item<double>();
    return {d.max().item<double>() / scale, d.square().mean().sqrt().item<double>() / scale};
}

// Whether a leaf is a batch of images, and not a weight, a bias or part of the time embedding.
inline bool is_image(const at::Tensor& leaf) { return leaf.dim() > 2 && !(leaf.dim() == 4 && leaf.size(2) == 3); }

// Returns f of the leaves and the gradients of sum(f · weight) for each leaf. Images are converted to the type `images`, the other
// leaves to `others`.
using Function = std::function<at::Tensor(const Kernels&, const std::vector<at::Tensor>&)>;
inline std::vector<at::Tensor> evaluate(const Kernels& kernels, const Function& f, const std::vector<at::Tensor>& leaves,
                                        const at::Tensor& weight, at::ScalarType images, at::ScalarType others,
                                        const c10::Device& device) {
    std::vector<at::Tensor> inputs;
    for (const at::Tensor& leaf : leaves) {
        const at::Tensor input = leaf.to(device, is_image(leaf) ? images : others).detach();
        inputs.push_back(input.requires_grad_(true));
    }
    const at::Tensor y = f(kernels, inputs);
    std::vector<at::Tensor> results{y};
    for (const at::Tensor& gradient : torch::autograd::grad({(y * weight.to(y.options())).sum()}, inputs))
        results.push_back(gradient);
    return results;
}

// Returns a group norm as a function of x, weight, bias and what `kind` adds: 0 nothing, 1 a shift, 2 a scale and an offset.
inline Function normalization(int64_t groups, bool silu, int kind) {
    return [=](const Kernels& kernels, const std::vector<at::Tensor>& x) {
        NormArguments arguments{x[1], x[2], groups, 1e-5, silu, {}, {}, {}};
        if (kind == 1) arguments.shift = x[3];
        if (kind == 2) {
            arguments.scale = x[3];
            arguments.offset = x[4];
        }
        return kernels.norm(x[0], arguments);
    };
}

// Expects that the result and every gradient of the fast kernel are within `bound` of the exact ones.
inline void compare(const Function& f, std::vector<at::Tensor> leaves, at::IntArrayRef result, const Distance& bound,
                    at::ScalarType images = at::kFloat, const c10::Device& device = c10::kCPU, at::ScalarType others = at::kFloat) {
    // The leaves are rounded first, because rounding them to bfloat16 is no error of the kernel.
    for (at::Tensor& leaf : leaves) leaf = leaf.to(is_image(leaf) ? images : others).to(at::kDouble);
    const at::Tensor weight = normal(result).to(images).to(at::kDouble);
    const auto exact = evaluate(plain_kernels(), f, leaves, weight, at::kDouble, at::kDouble, c10::kCPU);
    const auto ours = evaluate(fast(), f, leaves, weight, images, others, device);
    ASSERT_EQ(ours.size(), exact.size());
    EXPECT_EQ(ours[0].scalar_type(), images);
    for (size_t i = 0; i < ours.size(); ++i) {
        ASSERT_EQ(ours[i].sizes(), exact[i].sizes());
        const Distance d = distance(ours[i].cpu(), exact[i]);
        EXPECT_LT(d.max, bound.max) << (i == 0 ? "result" : "gradient " + std::to_string(i - 1));
        EXPECT_LT(d.rms, bound.rms) << (i == 0 ? "result" : "gradient " + std::to_string(i - 1));
    }
}

}  // namespace ddpm
