#include <array>
#include <functional>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "ddpm/kernels/instruction_set.h"
#include "ddpm/kernels/kernels.h"
#include "kernels/compare.h"

// Every fast kernel against the plain one in float64, forward and backward.
namespace ddpm {
namespace {

constexpr Distance kWinograd{1e-4, 1e-5}, kBf16{6e-2, 1e-2}, kNorm{4e-5, 4e-6}, kProduct{2e-5, 2e-6}, kAttention{2e-4, 1e-5};

// Whole and ragged tiles, one and several images; channels in panels of 32; fewer tiles than channels, in one block and in
// two, and more.
TEST(Conv3x3, IsTheConvolution) {
    at::manual_seed(1);
    for (const auto& [n, in, out, height, width] : std::vector<std::array<int64_t, 5>>{{2, 32, 64, 16, 16},
                                                                                       {3, 96, 32, 10, 7},
                                                                                       {16, 64, 64, 4, 4},
                                                                                       {1, 32, 32, 32, 32},
                                                                                       {1, 64, 32, 9, 12},
                                                                                       {5, 64, 64, 12, 12}}) {
        for (const bool residual : {false, true}) {
            std::vector<at::Tensor> leaves{normal({n, in, height, width}), normal({out, in, 3, 3}) * 0.1, normal({out})};
            if (residual) leaves.push_back(normal({n, out, height, width}));
            const Function f = [](const Kernels& kernels, const std::vector<at::Tensor>& x) {
                return kernels.conv3x3(x[0], x[1], x[2], x.size() > 3 ? x[3] : at::Tensor());
            };
            compare(f, leaves, {n, out, height, width}, kWinograd);
            compare(f, leaves, {n, out, height, width}, kBf16, at::kBFloat16);
        }
    }
}

TEST(Norm, IsGroupNormalizationAndSilu) {
    at::manual_seed(3);
    for (const auto& [n, channels, groups, side] :
         std::vector<std::array<int64_t, 4>>{{2, 32, 8, 8}, {1, 64, 32, 16}, {3, 96, 32, 5}, {2, 48, 3, 7}, {1, 128, 1, 6}}) {
        for (const bool silu : {false, true}) {
            for (const int kind : {0, 1, 2}) {  // nothing, shift, scale and offset
                std::vector<at::Tensor> leaves{3 * normal({n, channels, side, side}) + 1, normal({channels}), normal({channels})};
                for (int i = 0; i < kind; ++i) leaves.push_back(normal({n, channels}));
                const Function f = normalization(groups, silu, kind);
                compare(f, leaves, {n, channels, side, side}, kNorm);
                compare(f, leaves, {n, channels, side, side}, kBf16, at::kBFloat16);
            }
        }
    }
}

// The two in one, which computes what lies between them twice.
TEST(NormConv3x3, IsTheOneAfterTheOther) {
    at::manual_seed(9);
    for (const int kind : {0, 1, 2}) {
        for (const int64_t side : {8, 16}) {
            std::vector<at::Tensor> leaves{normal({2, 64, side, side}),
                                           normal({32, 64, 3, 3}) * 0.1,
                                           normal({32}),
                                           normal({2, 32, side, side}),
                                           normal({64}),
                                           normal({64})};
            for (int i = 0; i < kind; ++i) leaves.push_back(normal({2, 64}));
            const Function f = [kind](const Kernels& kernels, const std::vector<at::Tensor>& x) {
                NormArguments arguments{x[4], x[5], 32, 1e-5, true, {}, {}, {}};
                if (kind == 1) arguments.shift = x[6];
                if (kind == 2) {
                    arguments.scale = x[6];
                    arguments.offset = x[7];
                }
                return kernels.norm_conv3x3(x[0], arguments, x[1], x[2], x[3]);
            };
            compare(f, leaves, {2, 32, side, side}, kWinograd);
            compare(f, leaves, {2, 32, side, side}, {1.5e-1, 2e-2}, at::kBFloat16);
        }
    }
}

// A mean that is large beside the deviation: sums of x and x² alone would lose everything.
TEST(Norm, SurvivesALargeMean) {
    at::manual_seed(4);
    const at::Tensor x = at::randn({1, 32, 64, 64}, at::kDouble) * 0.1 + 1000;
    const NormArguments arguments{at::ones({32}), at::zeros({32}), 32, 1e-5, false, {}, {}, {}};
    const at::Tensor rounded = x.to(at::kFloat);
    const at::Tensor exact = at::group_norm(rounded.to(at::kDouble), 32, {}, {}, 1e-5);
    EXPECT_LT(distance(fast().norm(rounded, arguments), exact).max, 2e-3);
}

// Rows in whole blocks and not; the shapes of tokens and of images.
TEST(Linear, IsTheLinearMap) {
    at::manual_seed(7);
    for (const auto& [n, rows, in, out] :
         std::vector<std::array<int64_t, 4>>{{2, 64, 32, 96}, {3, 35, 64, 32}, {1, 1, 32, 32}, {1, 1100, 64, 64}}) {
        for (const bool residual : {false, true}) {
            std::vector<at::Tensor> leaves{normal({n, rows, in}), normal({out, in}) * 0.1, normal({out})};
            if (residual) leaves.push_back(normal({n, rows, out}));
            const Function f = [](const Kernels& kernels, const std::vector<at::Tensor>& x) {
                return kernels.linear(x[0], x[1], x[2], x.size() > 3 ? x[3] : at::Tensor());
            };
            compare(f, leaves, {n, rows, out}, kProduct);
            compare(f, leaves, {n, rows, out}, kBf16, at::kBFloat16);
        }
    }
    const Function one = [](const Kernels& kernels, const std::vector<at::Tensor>& x) {
        return kernels.conv1x1(x[0], x[1].view({64, 32, 1, 1}), x[2]);
    };
    compare(one, {normal({2, 32, 5, 7}), normal({64, 32}), normal({64})}, {2, 64, 5, 7}, kProduct);
}

TEST(Attention, IsSoftmaxOfProducts) {
    at::manual_seed(8);
    const Function f = [](const Kernels& kernels, const std::vector<at::Tensor>& x) { return kernels.attention(x[0]); };
    for (const auto& [n, tokens, heads, d] :
         std::vector<std::array<int64_t, 4>>{{2, 64, 1, 64}, {1, 96, 3, 32}, {3, 256, 2, 32}, {1, 32, 1, 128}}) {
        const std::vector<at::Tensor> leaves{2 * normal({n, tokens, 3, heads, d})};
        compare(f, leaves, {n, tokens, heads * d}, kAttention);
        // Gradients have values of 20 times the RMS, which bfloat16 rounds by up to 1/256.
        compare(f, leaves, {n, tokens, heads * d}, {1.5e-1, 1e-2}, at::kBFloat16);
    }
}

// Results do not depend on how many threads share the work.
TEST(Kernels, DoNotDependOnTheNumberOfThreads) {
    at::manual_seed(5);
    const at::Tensor x = at::randn({8, 64, 16, 16}).requires_grad_(true), weight = at::randn({64, 64, 3, 3}).requires_grad_(true);
    const at::Tensor few = at::randn({3, 64, 16, 16}).requires_grad_(true);  // tiles
    const at::Tensor map = at::randn({96, 64}).requires_grad_(true), bias = at::randn({96});
    const NormArguments arguments{at::randn({64}), at::randn({64}), 32, 1e-5, true, {}, {}, {}};
    std::vector<std::vector<at::Tensor>> results;
    const int threads = at::get_num_threads();
    for (const int count : {1, 2, 3, 4}) {  // by 3 neither 64 nor 96 channels can be shared out in panels
        at::set_num_threads(count);
        const at::Tensor y = fast().norm(fast().conv3x3(x, weight, {}, x), arguments);
        const at::Tensor z = fast().linear(y.flatten(2).transpose(1, 2), map, bias, {});
        const at::Tensor w = fast().conv3x3(few, weight, {}, {});
        results.push_back(torch::autograd::grad({z.square().sum() + w.square().sum()}, {x, weight, map, few}));
        results.back().push_back(z.detach());
    }
    at::set_num_threads(threads);
    for (const auto& result : results)
        for (size_t i = 0; i < result.size(); ++i) EXPECT_TRUE(at::equal(result[i], results[0][i])) << i;
}

// What a machine without AVX-512 computes is the same but for rounding.
TEST(Kernels, SetsOfInstructionsAgree) {
    at::manual_seed(10);
    const at::Tensor x = at::randn({2, 64, 16, 16}).requires_grad_(true), weight = at::randn({64, 64, 3, 3}).requires_grad_(true);
    const at::Tensor qkv_weight = at::randn({96, 64}).requires_grad_(true);
    const NormArguments arguments{at::randn({64}), at::randn({64}), 32, 1e-5, true, {}, {}, {}};
    std::vector<at::Tensor> results[2];
    for (const int i : {0, 1}) {
        cap_instruction_set(i == 0 ? "avx512" : "avx2", "test");
        if (i == 1) {
            EXPECT_LE(vector_bytes(), 32u);
        }
        const at::Tensor y = fast().norm(fast().conv3x3(x, weight, {}, x), arguments);
        const at::Tensor tokens = y.flatten(2).transpose(1, 2).contiguous();
        const at::Tensor out = fast().attention(fast().linear(tokens, qkv_weight, {}, {}).view({2, 256, 3, 1, 32}));
        results[i] = torch::autograd::grad({out.square().sum()}, {x, weight, qkv_weight});
        results[i].push_back(out.detach());
    }
    EXPECT_LE(vector_bytes(), 32u) << "still";
    cap_instruction_set("avx512", "test");
    for (size_t i = 0; i < results[0].size(); ++i) EXPECT_LT(distance(results[1][i], results[0][i].to(at::kDouble)).rms, 2e-5) << i;
}

TEST(Kernels, WhatDoesNotFitIsPlain) {
    at::manual_seed(6);
    for (const auto& [channels, type] : std::vector<std::pair<int64_t, at::ScalarType>>{{24, at::kFloat}, {32, at::kDouble}}) {
        const at::Tensor x = at::randn({2, channels, 8, 8}, type), weight = at::randn({channels, channels, 3, 3}, type);
        EXPECT_TRUE(at::equal(fast().conv3x3(x, weight, {}, {}), at::conv2d(x, weight, {}, 1, 1)));
    }
    const at::Tensor x = at::randn({2, 24, 8, 8});
    const NormArguments arguments{at::ones({24}), at::zeros({24}), 4, 1e-5, true, {}, {}, {}};
    EXPECT_TRUE(at::equal(fast().norm(x, arguments), at::silu(at::group_norm(x, 4, arguments.weight, arguments.bias, 1e-5))));
}

}  // namespace
}  // namespace ddpm
