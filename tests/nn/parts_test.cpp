#include <cmath>
#include <stdexcept>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>

#include "ddpm/core/error.h"
#include "ddpm/nn/init.h"
#include "nn/attention.h"
#include "nn/blocks.h"
#include "nn/embeddings.h"
#include "nn/networks.h"
#include "nn/recompute.h"
#include "nn/resnet_block.h"

namespace ddpm::nn {
namespace {

double largest(const at::Tensor& tensor) { return tensor.abs().max().item<double>(); }

TEST(TimestepEmbedding, IsSinesAndCosinesOfGeometricFrequencies) {
    const at::Tensor t = at::tensor({0, 1, 37, 999}, at::kLong);
    for (const bool flip : {false, true})
        for (const double shift : {0.0, 1.0})
            for (const int64_t width : {8, 9}) {
                const at::Tensor embedding = timestep_embedding(t, width, flip, shift);
                ASSERT_EQ(embedding.sizes(), (std::vector<int64_t>{4, width}));
                for (int64_t n = 0; n < 4; ++n)
                    for (int64_t i = 0; i < 4; ++i) {
                        const double angle = static_cast<double>(t[n].item<int64_t>()) *
                                             std::exp(-std::log(10000.0) * static_cast<double>(i) / (4 - shift));
                        // t·f is rounded to float32, up to 999·2^-24.
                        EXPECT_NEAR(embedding[n][i + (flip ? 4 : 0)].item<float>(), std::sin(angle), 1e-4);
                        EXPECT_NEAR(embedding[n][i + (flip ? 0 : 4)].item<float>(), std::cos(angle), 1e-4);
                    }
                if (width == 9) {
                    EXPECT_EQ(largest(embedding.select(1, 8)), 0);
                }
            }
}

// Samplers tell t in float32: whole numbers must give the bits that training's int64 gives.
TEST(TimestepEmbedding, WholeTimesInFloat32GiveTheBitsOfInt64) {
    const at::Tensor t = at::cat({at::arange(4000, at::kLong), at::arange(4000, 1'000'000, 997, at::kLong)});
    for (const int64_t width : {8, 32, 128})
        EXPECT_TRUE(at::equal(timestep_embedding(t.to(at::kFloat), width, true, 0), timestep_embedding(t, width, true, 0)));
    const at::Tensor between = timestep_embedding(at::tensor({36.0f, 36.5f, 37.0f}), 32, true, 0);
    EXPECT_GT(largest(between[1] - between[0]), 1e-2) << "and a t between them is a time of its own";
    EXPECT_GT(largest(between[1] - between[2]), 1e-2);
}

TEST(TimeProjection, LearnedIsARowAndFourierIsSinesOfTheLogarithm) {
    UNetConfig config = test::plain_network();
    config.time_embedding_type = "learned";
    config.num_train_timesteps = 10;
    TimeProjection learned(config);
    const at::Tensor t = at::tensor({7, 2}, at::kLong);
    EXPECT_TRUE(at::equal(learned.forward(t), learned.parameters()[0].index_select(0, t)));
    EXPECT_TRUE(at::equal(learned.forward(t.to(at::kFloat)), learned.forward(t)));
    EXPECT_THROW(learned.forward(at::tensor({7.0f, 2.5f})), Error) << "no row stands between two";

    config.time_embedding_type = "fourier";
    TimeProjection fourier(config);
    EXPECT_EQ(fourier.width(), 16);
    EXPECT_TRUE(at::equal(fourier.forward(t.to(at::kFloat)), fourier.forward(t)));
    const at::Tensor w = fourier.parameters()[0];
    EXPECT_FALSE(w.requires_grad());
    const at::Tensor angle = 2 * M_PI * t.to(at::kDouble).log().unsqueeze(1) * w.to(at::kDouble);
    // |angle| reaches some 500, a float32 of which is good to 3e-5.
    EXPECT_LT(largest(fourier.forward(t) - at::cat({angle.sin(), angle.cos()}, 1)), 3e-4);
}

TEST(ClassEmbedding, IsARowAnEmbeddedNumberOrTheLabelItself) {
    UNetConfig config = test::plain_network();
    auto time_proj = std::make_shared<TimeProjection>(config);
    const at::Tensor y = at::tensor({2, 0}, at::kLong);
    ClassEmbedding table(config, time_proj);
    EXPECT_TRUE(at::equal(table.forward(y), table.parameters()[0].index_select(0, y)));

    config.class_embed_type = "identity";
    const at::Tensor vector = at::randn({2, 32});
    EXPECT_TRUE(at::equal(ClassEmbedding(config, time_proj).forward(vector), vector));

    config.class_embed_type = "timestep";
    ClassEmbedding embedded(config, time_proj);
    EmbeddingMlp mlp(8, 32);
    const at::NoGradGuard no_grad;
    for (const auto& item : embedded.named_parameters()) mlp.named_parameters()[item.key()].copy_(item.value());
    EXPECT_TRUE(at::equal(embedded.forward(y), mlp.forward(time_proj->forward(y))));
}

at::Tensor group_norm_by_formula(const at::Tensor& x, int64_t groups, const at::Tensor& weight, const at::Tensor& bias,
                                 double eps) {
    const at::Tensor grouped = x.reshape({x.size(0), groups, -1});
    const at::Tensor mean = grouped.mean(2, true);
    const at::Tensor variance = (grouped - mean).square().mean(2, true);
    return ((grouped - mean) / (variance + eps).sqrt()).view(x.sizes()) * weight.view({1, -1, 1, 1}) + bias.view({1, -1, 1, 1});
}

// Here softmax(q kᵀ/√d) v is written out pixel by pixel and head by head.
TEST(Attention, IsTheFormula) {
    for (const int64_t head_dim : {12, 4, 5}) {  // 5: two heads of 5 channels in a width of 12
        Attention attention({12, head_dim, 3, 1e-5, 2.0});
        attention.to(at::kDouble);
        test::fill_by_formula(attention);
        const auto p = attention.named_parameters();
        at::manual_seed(2);
        const at::Tensor x = at::randn({2, 12, 3, 4}, at::kDouble);
        const at::NoGradGuard no_grad;
        const at::Tensor out = attention.forward(x);

        const at::Tensor normed = group_norm_by_formula(x, 3, p["group_norm.weight"], p["group_norm.bias"], 1e-5);
        const int64_t heads = 12 / head_dim;
        for (int64_t n = 0; n < 2; ++n) {
            const at::Tensor tokens = normed[n].reshape({12, 12}).t();  // [pixel, channel]
            const auto map = [&](const char* name) {
                return tokens.matmul(p[std::string(name) + ".weight"].t()) + p[std::string(name) + ".bias"];
            };
            const at::Tensor q = map("to_q"), k = map("to_k"), v = map("to_v");
            at::Tensor attended = at::zeros({12, heads * head_dim}, at::kDouble);
            for (int64_t head = 0; head < heads; ++head)
                for (int64_t i = 0; i < 12; ++i) {
                    const auto part = [&](const at::Tensor& m, int64_t row) {
                        return m[row].slice(0, head * head_dim, (head + 1) * head_dim);
                    };
                    double total = 0;
                    at::Tensor sum = at::zeros({head_dim}, at::kDouble);
                    for (int64_t j = 0; j < 12; ++j) {
                        const double weight =
                            std::exp(part(q, i).dot(part(k, j)).item<double>() / std::sqrt(static_cast<double>(head_dim)));
                        total += weight;
                        sum += weight * part(v, j);
                    }
                    attended[i].slice(0, head * head_dim, (head + 1) * head_dim).copy_(sum / total);
                }
            const at::Tensor mapped = attended.matmul(p["to_out.0.weight"].t()) + p["to_out.0.bias"];
            const at::Tensor expected = (x[n] + mapped.t().reshape({12, 3, 4})) / 2;
            EXPECT_LT(largest(out[n] - expected), 1e-12) << "head_dim " << head_dim;
        }
    }
}

ResnetOptions resnet_of(int64_t in, int64_t out) {
    ResnetOptions options;
    options.in_channels = in;
    options.out_channels = out;
    options.time_width = 6;
    options.norm_groups = 2;
    options.act = activation("silu");
    return options;
}

TEST(ResnetBlock, IsTheFormula) {
    for (const bool scale_shift : {false, true}) {
        ResnetOptions options = resnet_of(4, 8);
        options.scale_shift = scale_shift;
        ResnetBlock block(options);
        block.to(at::kDouble);
        test::fill_by_formula(block);
        const auto p = block.named_parameters();
        at::manual_seed(5);
        const at::Tensor x = at::randn({2, 4, 6, 6}, at::kDouble), time = at::randn({2, 6}, at::kDouble);
        const at::NoGradGuard no_grad;
        const auto norm = [&](const at::Tensor& h, const std::string& name) {
            return group_norm_by_formula(h, 2, p[name + ".weight"], p[name + ".bias"], 1e-5);
        };
        const auto silu = [](const at::Tensor& h) { return h / (1 + (-h).exp()); };
        const at::Tensor condition = at::linear(time, p["time_emb_proj.weight"], p["time_emb_proj.bias"]).view({2, -1, 1, 1});
        at::Tensor h = at::conv2d(silu(norm(x, "norm1")), p["conv1.weight"], p["conv1.bias"], 1, 1);
        h = scale_shift ? norm(h, "norm2") * (1 + condition.slice(1, 0, 8)) + condition.slice(1, 8, 16)
                        : norm(h + condition, "norm2");
        h = at::conv2d(silu(h), p["conv2.weight"], p["conv2.bias"], 1, 1);
        const at::Tensor expected = h + at::conv2d(x, p["conv_shortcut.weight"], p["conv_shortcut.bias"]);
        EXPECT_LT(largest(block.forward(x, block.condition(time)) - expected), 1e-12);
    }
}

TEST(ResnetBlock, WithoutItsLastConvolutionIsTheIdentity) {
    ResnetOptions options = resnet_of(4, 4);
    const at::Tensor x = at::randn({1, 4, 4, 4}), time = at::randn({1, 6});
    const at::NoGradGuard no_grad;
    for (const Resample resample : {Resample::none, Resample::down, Resample::up}) {
        options.resample = resample;
        ResnetBlock block(options);
        block.named_parameters()["conv2.weight"].zero_();
        block.named_parameters()["conv2.bias"].zero_();
        const at::Tensor expected = resample == Resample::none   ? x
                                    : resample == Resample::down ? x.reshape({1, 4, 2, 2, 2, 2}).mean({3, 5})
                                                                 : x.repeat_interleave(2, 2).repeat_interleave(2, 3);
        EXPECT_LT(largest(block.forward(x, block.condition(time)) - expected), 1e-6);
    }
}

// A kernel with a single one in its middle picks pixels: padding 0 pads below and right, so the window's middle lies
// on odd rows and columns; padding 1 centres it on even ones.
TEST(Downsample, PadsAsHoOrSymmetrically) {
    const at::Tensor x = at::arange(36, at::kFloat).view({1, 1, 6, 6});
    const at::NoGradGuard no_grad;
    for (const int64_t padding : {0, 1}) {
        Downsample down(1, padding);
        for (at::Tensor& parameter : down.parameters()) parameter.zero_();
        down.named_parameters()["conv.weight"][0][0][1][1].fill_(1);
        const int64_t first = padding == 0 ? 1 : 0;
        EXPECT_TRUE(at::equal(down.forward(x), x.slice(2, first, 6, 2).slice(3, first, 6, 2)));
    }
}

TEST(Activation, IsTheFormula) {
    const at::Tensor x = at::linspace(-6, 6, 49, at::kDouble);
    EXPECT_LT(largest(activation("silu")(x) - x / (1 + (-x).exp())), 1e-14);
    EXPECT_LT(largest(activation("swish")(x) - activation("silu")(x)), 1e-14);
    EXPECT_LT(largest(activation("mish")(x) - x * (1 + x.exp()).log().tanh()), 1e-14);
    EXPECT_LT(largest(activation("gelu")(x) - x * 0.5 * (1 + (x / std::sqrt(2.0)).erf())), 1e-14);
    EXPECT_LT(largest(activation("relu")(x) - x.clamp_min(0)), 1e-14);
}

// Whatever the body throws when it is run again, the caller's autocast and random numbers are what they were.
TEST(Recompute, ComesBackFromABodyThatThrows) {
    int runs = 0;
    const auto body = [&](const std::vector<at::Tensor>& inputs) {
        if (++runs == 2) throw std::runtime_error("second run");
        return inputs[0] * at::rand({3});
    };
    const at::Tensor x = at::ones({3}).requires_grad_();
    const at::Tensor y = recompute({x}, body);
    at::rand({5});  // the generator moves on
    const at::ScalarType usual = at::autocast::get_autocast_dtype(at::kCPU);
    at::autocast::set_autocast_enabled(at::kCPU, true);
    at::autocast::set_autocast_dtype(at::kCPU, at::kHalf);
    const at::Tensor before = at::detail::getDefaultCPUGenerator().get_state();
    EXPECT_ANY_THROW(y.sum().backward());
    EXPECT_EQ(runs, 2);
    EXPECT_TRUE(at::autocast::is_autocast_enabled(at::kCPU));
    EXPECT_EQ(at::autocast::get_autocast_dtype(at::kCPU), at::kHalf);
    at::autocast::set_autocast_enabled(at::kCPU, false);
    at::autocast::set_autocast_dtype(at::kCPU, usual);
    EXPECT_TRUE(at::equal(at::detail::getDefaultCPUGenerator().get_state(), before));
}

// A uniform sample of n numbers has a variance within 5·√(0.8/n) of its own (relative, five standard deviations: a
// false alarm in 2 million), and the seed is fixed.
TEST(InitializeWeights, HasTheVarianceOfHoEtAl) {
    UNet2D unet(test::plain_network());
    initialize_weights(unet, 11);
    for (const auto& item : unet.named_parameters()) {
        const std::string& name = item.key();
        const at::Tensor& p = item.value();
        const bool last = name.find("conv2.weight") != std::string::npos || name.find("to_out.0.weight") != std::string::npos ||
                          name == "conv_out.weight";
        if (last || name.find(".bias") != std::string::npos) {
            EXPECT_EQ(largest(p), 0) << name;
        } else if (p.dim() == 1) {
            EXPECT_EQ(largest(p - 1), 0) << name;
        } else if (name != "class_embedding.weight") {
            const double fan_in = static_cast<double>(p.numel()) / static_cast<double>(p.size(0));
            const double fan_out = static_cast<double>(p.numel()) / static_cast<double>(p.size(1));
            const double wanted = 2 / (fan_in + fan_out);
            EXPECT_NEAR(p.square().mean().item<double>() / wanted, 1, 5 * std::sqrt(0.8 / static_cast<double>(p.numel()))) << name;
            EXPECT_LE(largest(p), std::sqrt(3 * wanted) * (1 + 1e-6)) << name;
        }
    }
}

TEST(InitializeWeights, FollowsFromTheSeed) {
    UNet2D first(test::plain_network()), second(test::plain_network()), other(test::plain_network());
    initialize_weights(first, 1);
    initialize_weights(second, 1);
    initialize_weights(other, 2);
    for (const auto& item : first.named_parameters())
        EXPECT_TRUE(at::equal(item.value(), second.named_parameters()[item.key()])) << item.key();
    EXPECT_FALSE(at::equal(first.named_parameters()["conv_in.weight"], other.named_parameters()["conv_in.weight"]));
}

}  // namespace
}  // namespace ddpm::nn
