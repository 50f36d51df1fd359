#include "ddpm/nn/unet.h"

#include <fstream>
#include <map>

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/runtime.h"
#include "ddpm/nn/init.h"
#include "nn/networks.h"
#include "support/errors.h"

namespace ddpm {
namespace {

UNetConfig published(std::vector<int64_t> channels, std::vector<int> attention) {
    ModelOptions defaults;  // Ho et al.'s
    UNetConfig config;
    static_cast<UNetSettings&>(config) = defaults;
    config.block_out_channels = std::move(channels);
    config.down_block_types.clear();
    config.up_block_types.clear();
    for (const int attends : attention) {
        config.down_block_types.push_back(attends ? "AttnDownBlock2D" : "DownBlock2D");
        config.up_block_types.insert(config.up_block_types.begin(), attends ? "AttnUpBlock2D" : "UpBlock2D");
    }
    return config;
}

void expect_counts(const UNetConfig& config, int64_t parameters, size_t tensors) {
    const UNet2D unet(config);
    EXPECT_EQ(count_parameters(unet), parameters);
    EXPECT_EQ(unet.named_parameters().size() + unet.named_buffers().size(), tensors);
}

// The counts are those of google/ddpm-cifar10-32 and google/ddpm-celebahq-256, and of diffusers' UNet2DModel for the
// two others.
TEST(UNet, HasAsManyParametersAsThePublishedNetworks) {
    expect_counts(published({128, 256, 256, 256}, {0, 1, 0, 0}), 35746307, 328);
    expect_counts(published({128, 128, 256, 256, 512, 512}, {0, 0, 0, 0, 1, 0}), 113673219, 450);
    expect_counts(published({64, 128, 128}, {0, 1, 0}), 6472195, 268);
    expect_counts(published({32, 64, 64}, {0, 1, 0}), 1624323, 268);
}

// The listings are `for k, v in sorted(UNet2DModel(...).state_dict().items()): print(k, list(v.shape))`.
TEST(UNet, CallsItsParametersAsDiffusersDoes) {
    const std::pair<const char*, UNetConfig> cases[] = {{"plain", test::plain_network()},
                                                        {"resampling", test::resampling_network()}};
    for (const auto& [name, config] : cases) {
        std::map<std::string, std::string> ours, theirs;
        for (const auto& item : UNet2D(config).named_parameters())
            ours[item.key()] = fmt::format("[{}]", fmt::join(item.value().sizes(), ", "));
        std::ifstream listing(std::string(DDPM_TEST_DATA_DIR) + "/nn/" + name + "_state_dict.txt");
        for (std::string line; std::getline(listing, line);)
            theirs[line.substr(0, line.find(' '))] = line.substr(line.find(' ') + 1);
        EXPECT_EQ(ours, theirs) << name;
    }
}

struct Golden {
    double sum, absolute_sum, first, eighth, last;
};

void expect_golden(const UNetConfig& config, int64_t height, int64_t width, const at::Tensor& y, const Golden& golden) {
    UNet2D unet(config);
    unet.to(at::kDouble);
    test::fill_by_formula(unet);
    const int64_t numbers = 2 * config.in_channels * height * width;
    const at::Tensor x = (0.37 * at::arange(numbers, at::kDouble)).cos().view({2, config.in_channels, height, width});
    const at::NoGradGuard no_grad;
    const at::Tensor out = unet.forward(x, at::tensor({3, 500}, at::kLong), y).flatten();
    EXPECT_NEAR(out.sum().item<double>(), golden.sum, 1e-9);
    EXPECT_NEAR(out.abs().sum().item<double>(), golden.absolute_sum, 1e-9);
    EXPECT_NEAR(out[0].item<double>(), golden.first, 1e-10);
    EXPECT_NEAR(out[7].item<double>(), golden.eighth, 1e-10);
    EXPECT_NEAR(out[-1].item<double>(), golden.last, 1e-10);
}

// The numbers were made by diffusers 0.42.1 (torch 2.13) in float64 from the same configurations, with weights by the
// formula of fill_by_formula over sorted(named_parameters()), x = cos(0.37·i), t = [3, 500], classes [0, 2].
TEST(UNet, ComputesWhatDiffusersComputes) {
    expect_golden(test::plain_network(), 8, 12, at::tensor({0, 2}, at::kLong),
                  {-37.67000465253459, 221.63237226959848, -0.2913301947680423, -0.4644724431347336, 0.028675478744811824});
    expect_golden(test::resampling_network(), 8, 8, {},
                  {4.450827697440347, 43.296116875331016, -0.16803947930134386, 0.3130980949185204, -0.6197211354047055});
}

// The derivative along a random direction of all parameters and of x, by central differences and by autograd. The
// direction is some 200 long, so with h = 1e-6 truncation leaves about 1e-7 and rounding in float64 less.
TEST(UNet, GradientsAreDerivatives) {
    for (const UNetConfig& config : {test::plain_network(), test::resampling_network()}) {
        UNet2D unet(config);
        unet.to(at::kDouble);
        test::fill_by_formula(unet);
        at::manual_seed(1);
        at::Tensor x = at::randn({2, config.in_channels, 4, 6}, at::kDouble).requires_grad_();
        const at::Tensor weight = at::randn({2, config.out_channels, 4, 6}, at::kDouble);
        const at::Tensor y = config.has_classes() ? at::tensor({1, 2}, at::kLong) : at::Tensor();
        const auto loss = [&] { return (unet.forward(x, at::tensor({10, 900}, at::kLong), y) * weight).sum(); };
        loss().backward();
        std::vector<at::Tensor> variables = unet.parameters();
        variables.push_back(x);
        std::vector<at::Tensor> directions;
        double slope = 0;
        for (const at::Tensor& variable : variables) {
            directions.push_back(at::randn_like(variable));
            slope += (variable.grad() * directions.back()).sum().item<double>();
        }
        const at::NoGradGuard no_grad;
        const auto move = [&](double h) {
            for (size_t i = 0; i < variables.size(); ++i) variables[i].add_(directions[i], h);
        };
        const double h = 1e-6;
        move(h);
        const double ahead = loss().item<double>();
        move(-2 * h);
        const double behind = loss().item<double>();
        EXPECT_NEAR((ahead - behind) / (2 * h) / slope, 1, 1e-6);
    }
}

// The networks have dropout, whose masks have to be the same again, and in bfloat16 run under autocast, which is off
// when gradients are computed.
TEST(UNet, GradientsAreThoseOfTheActivationsThatWereKept) {
    for (UNetConfig config : {test::plain_network(), test::resampling_network()}) {
        config.dropout = 0.3;
        for (const bool bf16 : {false, true}) {
            UNet2D unet(config, kernels_named("fast", "test"));
            test::fill_by_formula(unet);
            unet.train();
            torch::manual_seed(1);
            const at::Tensor x = torch::randn({2, config.in_channels, 8, 8}), t = torch::tensor({3, 700});
            const at::Tensor y = config.has_classes() ? torch::tensor({0, 2}) : at::Tensor();
            std::vector<at::Tensor> kept;
            for (const bool recompute : {false, true}) {
                unet.set_gradient_checkpointing(recompute);
                unet.zero_grad();
                torch::manual_seed(2);
                at::Tensor out;
                {
                    const PrecisionGuard precision(at::kCPU, bf16 ? "bf16" : "fp32");
                    out = unet.forward(x, t, y).to(at::kFloat);
                }
                const at::Tensor after_forward = torch::rand({1});
                out.square().sum().backward();
                EXPECT_TRUE(torch::rand({1}).item<float>() != after_forward.item<float>());
                if (!recompute) {
                    for (const at::Tensor& parameter : unet.parameters()) kept.push_back(parameter.grad().clone());
                    continue;
                }
                double largest = 0;
                for (const at::Tensor& gradient : kept) largest = std::max(largest, gradient.abs().max().item<double>());
                size_t i = 0;
                for (const auto& item : unet.named_parameters()) {
                    // Some gradients (a key's bias) are zero but for rounding.
                    const double scale = std::max(kept[i].abs().max().item<double>(), 1e-2 * largest);
                    EXPECT_LT((item.value().grad() - kept[i]).abs().max().item<double>() / scale, bf16 ? 5e-2 : 1e-5) << item.key();
                    ++i;
                }
            }
        }
    }
}

// With a seed an example dropout is the example's own: in any batch, and when activations are computed again.
TEST(UNet, DropoutFollowsFromTheSeedsOfTheExamples) {
    UNetConfig config = test::plain_network();
    config.dropout = 0.5;
    for (const char* kernels : {"plain", "fast"}) {
        UNet2D unet(config, kernels_named(kernels, "test"));
        test::fill_by_formula(unet);
        unet.train();
        torch::manual_seed(1);
        const at::Tensor x = torch::randn({4, 3, 8, 8}), t = torch::tensor({3, 700, 20, 400}), y = torch::tensor({0, 2, 1, 1});
        const at::Tensor seeds = torch::tensor({4, -1, 9, 1000}, at::kLong);
        // The answer and the gradients of examples begin … end − 1.
        const auto pass = [&](int64_t begin, int64_t end, bool recompute) {
            unet.set_gradient_checkpointing(recompute);
            unet.zero_grad();
            unet.set_dropout_seeds(seeds.slice(0, begin, end));
            const at::Tensor out = unet.forward(x.slice(0, begin, end), t.slice(0, begin, end), y.slice(0, begin, end));
            out.square().sum().backward();
            std::vector<at::Tensor> gradients;
            for (const at::Tensor& parameter : unet.parameters()) gradients.push_back(parameter.grad().flatten());
            return std::pair{out.detach(), at::cat(gradients)};
        };
        const auto near = [](const at::Tensor& a, const at::Tensor& b) {
            return ((a - b).norm() / b.norm()).item<double>() < 1e-5;
        };
        const auto [whole, gradients] = pass(0, 4, false);
        const auto [first, first_gradients] = pass(0, 1, false);
        const auto [rest, rest_gradients] = pass(1, 4, true);
        EXPECT_TRUE(near(at::cat({first, rest}), whole)) << kernels;
        EXPECT_TRUE(near(first_gradients + rest_gradients, gradients)) << kernels;
        unet.set_dropout_seeds(seeds + 1);
        EXPECT_FALSE(near(unet.forward(x, t, y), whole)) << kernels;
    }
}

// All images have one time, as in sampling, out of several whose conditions were computed at once.
TEST(UNet, TakesTheConditionsOfItsTimes) {
    UNetConfig config = test::resampling_network();
    for (const char* kernels : {"plain", "fast"}) {
        UNet2D unet(config, kernels_named(kernels, "test"));
        test::fill_by_formula(unet);
        const c10::InferenceMode inference;
        const at::Tensor x = torch::randn({3, 1, 8, 8});
        const std::vector<at::Tensor> all = unet.conditions(torch::tensor({3, 700, 20}));
        std::vector<at::Tensor> second;
        for (const at::Tensor& condition : all) second.push_back(condition.slice(0, 1, 2));
        EXPECT_TRUE(torch::allclose(unet.forward(x, second), unet.forward(x, torch::tensor({700, 700, 700})), 1e-5, 1e-6));
        EXPECT_FALSE(torch::allclose(unet.forward(x, second), unet.forward(x, torch::tensor({3, 3, 3})), 1e-2, 1e-3));
    }
}

TEST(UNet, StartsAsZero) {
    UNet2D unet(test::plain_network());
    initialize_weights(unet, 7);
    const at::Tensor x = at::randn({2, 3, 8, 8});
    const at::Tensor out = unet.forward(x, at::tensor({0, 999}, at::kLong), at::tensor({0, 1}, at::kLong));
    EXPECT_EQ(out.abs().max().item<float>(), 0);
}

// Labels of every wrong shape and dtype, for each way in which a network takes them, are one clear error.
TEST(UNet, SaysWhichLabelsItTakes) {
    const at::Tensor x = at::zeros({2, 3, 8, 8}), t = at::tensor({4, 5}, at::kLong);
    const auto fault = [&](UNet2D& unet, const at::Tensor& y) {
        const at::NoGradGuard no_grad;
        return error_of([&] { unet.forward(x, t, y); }, Error::Kind::runtime);
    };
    UNetConfig config = test::plain_network();
    UNet2D table(config);
    config.num_class_embeds.reset();
    UNet2D none(config);
    config.class_embed_type = "timestep";
    UNet2D times(config);
    config.class_embed_type = "identity";
    UNet2D vectors(config);
    const int64_t width = config.time_width();
    EXPECT_EQ(fault(table, at::tensor({0, 2}, at::kLong)), "no error");
    EXPECT_EQ(fault(times, at::tensor({0, 2}, at::kLong)), "no error");
    EXPECT_EQ(fault(vectors, at::zeros({2, width})), "no error");
    EXPECT_EQ(fault(none, {}), "no error");
    EXPECT_SAYS(fault(none, at::tensor({0, 2}, at::kLong)), "labels given to a network without classes");
    EXPECT_SAYS(fault(table, {}), "labels missing");
    for (UNet2D* unet : {&table, &times})
        for (const std::vector<int64_t>& shape : {std::vector<int64_t>{}, {0}, {1}, {3}, {2, 1}, {1, 2}, {2, width}})
            EXPECT_SAYS(fault(*unet, at::zeros(shape, at::kLong)),
                        fmt::format("y has the shape [{}], expected [2]", fmt::join(shape, ", ")));
    for (const std::vector<int64_t>& shape : {std::vector<int64_t>{}, {2}, {2, 1}, {1, width}, {2, width + 1}, {2, width, 1}})
        EXPECT_SAYS(fault(vectors, at::zeros(shape)),
                    fmt::format("y has the shape [{}], expected [2, {}]", fmt::join(shape, ", "), width));
    for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kBool, at::kByte})
        EXPECT_SAYS(fault(table, at::zeros({2}, type)), "expected Long");
    EXPECT_SAYS(error_of(
                    [&] {
                        table.conditions(at::zeros({2, 1}, at::kLong), at::zeros({2}, at::kLong));
                    },
                    Error::Kind::runtime),
                "t has the shape [2, 1]");
}

TEST(UNet, DropsOutOnlyWhileTraining) {
    UNetConfig config = test::plain_network();
    config.dropout = 0.5;
    UNet2D unet(config);
    test::fill_by_formula(unet);
    const at::Tensor x = at::randn({1, 3, 8, 8}), t = at::tensor({4}, at::kLong), y = at::tensor({0}, at::kLong);
    const at::NoGradGuard no_grad;
    EXPECT_FALSE(at::equal(unet.forward(x, t, y), unet.forward(x, t, y)));
    unet.eval();
    EXPECT_TRUE(at::equal(unet.forward(x, t, y), unet.forward(x, t, y)));
}

// diffusers' Fourier networks predict scores of noise levels, so their output is divided by t.
TEST(UNet, FourierNetworkDividesByTime) {
    UNetConfig config = test::plain_network();
    config.num_class_embeds.reset();
    config.time_embedding_type = "fourier";
    UNet2D unet(config);
    unet.to(at::kDouble);
    const at::NoGradGuard no_grad;
    // With a constant network (only conv_out's bias left) the answer is that constant over t.
    for (at::Tensor& parameter : unet.parameters()) parameter.zero_();
    unet.named_parameters()["conv_out.bias"].fill_(6);
    const at::Tensor out = unet.forward(at::randn({2, 3, 4, 4}, at::kDouble), at::tensor({2, 3}, at::kLong));
    EXPECT_TRUE(at::allclose(out[0], at::full({3, 4, 4}, 3.0, at::kDouble)));
    EXPECT_TRUE(at::allclose(out[1], at::full({3, 4, 4}, 2.0, at::kDouble)));
}

// bfloat16 keeps 8 bits, so an operation rounds by up to 2^-9 = 0.2 %. Some fifty lie between input and output, and
// rounding x itself costs four times as much here because of the offset.
TEST(UNet, StaysNearFloat32UnderAutocast) {
    UNet2D unet(test::plain_network());
    test::fill_by_formula(unet);
    at::manual_seed(3);
    const at::Tensor x = at::randn({2, 3, 16, 16}) + 3;
    const at::Tensor t = at::tensor({4, 400}, at::kLong), y = at::tensor({0, 1}, at::kLong);
    const at::NoGradGuard no_grad;
    const at::Tensor exact = unet.forward(x, t, y);
    at::autocast::set_autocast_enabled(at::kCPU, true);
    const at::Tensor rough = unet.forward(x, t, y).to(at::kFloat);
    at::autocast::set_autocast_enabled(at::kCPU, false);
    at::autocast::clear_cache();
    EXPECT_LT(((rough - exact).norm() / exact.norm()).item<double>(), 0.06);
}

TEST(UNet, RefusesWhatDoesNotFit) {
    UNet2D unet(test::plain_network());
    const at::Tensor t = at::tensor({0}, at::kLong), y = at::tensor({0}, at::kLong);
    EXPECT_THROW(unet.forward(at::zeros({1, 3, 7, 8}), t, y), Error);
    EXPECT_THROW(unet.forward(at::zeros({1, 1, 8, 8}), t, y), Error);
    EXPECT_THROW(unet.forward(at::zeros({2, 3, 8, 8}), t, y), Error);
    EXPECT_THROW(unet.forward(at::zeros({1, 3, 8, 8}), t), Error);
}

}  // namespace
}  // namespace ddpm
