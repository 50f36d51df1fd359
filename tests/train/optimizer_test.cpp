#include "ddpm/train/optimizer.h"

#include <cmath>

#include <gtest/gtest.h>
#include <torch/nn.h>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim.h>

namespace ddpm {
namespace {

std::vector<at::Tensor> random_parameters(uint64_t seed) {
    torch::manual_seed(seed);
    return {torch::randn({3, 4}).requires_grad_(), torch::randn({5}).requires_grad_()};
}

Optimizer::Named named(const std::vector<at::Tensor>& parameters) { return {{"a", parameters[0]}, {"b", parameters[1]}}; }

at::Tensor objective(const std::vector<at::Tensor>& p) { return (p[0].pow(4).sum() + (p[1] * p[1].sin()).sum()); }

// Both forms of the kernels.
class Optimizers : public testing::TestWithParam<std::string> {
protected:
    Optimizer make(const std::vector<at::Tensor>& parameters, const TrainOptions& options = {},
                   std::vector<at::Tensor> averages = {}) {
        return Optimizer(named(parameters), std::move(averages), options, kernels_named(GetParam(), "test"));
    }
};
INSTANTIATE_TEST_SUITE_P(Kernels, Optimizers, testing::ValuesIn(kernel_names()), [](const auto& info) { return info.param; });

// The loop-based optimizers of LibTorch are an implementation of their own.
template <class TorchOptimizer, class TorchOptions>
void expect_same_path(Optimizer optimizer, std::vector<at::Tensor> ours, std::vector<at::Tensor> theirs,
                      const TrainOptions& options) {
    TorchOptimizer reference(theirs, TorchOptions(0.01)
                                         .betas({options.adam_beta1, options.adam_beta2})
                                         .eps(options.adam_epsilon)
                                         .weight_decay(options.weight_decay));
    for (int step = 0; step < 20; ++step) {
        optimizer.zero_grad();
        objective(ours).backward();
        optimizer.clip_grad_norm(0.5);
        optimizer.step(0.01, 0);
        reference.zero_grad();
        objective(theirs).backward();
        torch::nn::utils::clip_grad_norm_(theirs, 0.5);
        reference.step();
    }
    for (size_t i = 0; i < ours.size(); ++i) EXPECT_TRUE(torch::allclose(ours[i], theirs[i], 1e-5, 1e-6));
    EXPECT_EQ(optimizer.steps_done(), 20);
}

TEST_P(Optimizers, AdamWAndAdamAgreeWithLibTorchs) {
    TrainOptions options;
    options.weight_decay = 0.1;
    auto ours = random_parameters(1);
    expect_same_path<torch::optim::AdamW, torch::optim::AdamWOptions>(make(ours, options), ours, random_parameters(1), options);
    options.optimizer = "adam";
    ours = random_parameters(1);
    expect_same_path<torch::optim::Adam, torch::optim::AdamOptions>(make(ours, options), ours, random_parameters(1), options);
}

TEST_P(Optimizers, ClipToTheJointNorm) {
    auto parameters = random_parameters(2);
    Optimizer optimizer = make(parameters);
    (3.0 * parameters[0].sum() + 4.0 * parameters[1].sum()).backward();
    const double expected = std::sqrt(9.0 * 12 + 16.0 * 5);
    EXPECT_NEAR(optimizer.clip_grad_norm(0), expected, 1e-4);
    EXPECT_NEAR(optimizer.clip_grad_norm(1.0), expected, 1e-4) << "gradients themselves stay";
}

TEST_P(Optimizers, GoOnFromTheirState) {
    auto once = random_parameters(3), twice = random_parameters(3);
    Optimizer whole = make(once);
    const auto steps = [](Optimizer& optimizer, std::vector<at::Tensor>& p, int n) {
        for (int i = 0; i < n; ++i) {
            optimizer.zero_grad();
            objective(p).backward();
            optimizer.step(0.01, 0);
        }
    };
    steps(whole, once, 10);
    Optimizer first = make(twice);
    steps(first, twice, 4);
    Optimizer second = make(twice);
    {
        const torch::NoGradGuard no_grad;
        auto from = first.state(), to = second.state();
        for (size_t i = 0; i < from.size(); ++i) {
            EXPECT_EQ(from[i].first, to[i].first);
            to[i].second.copy_(from[i].second);
        }
    }
    second.set_steps_done(first.steps_done());
    steps(second, twice, 6);
    for (size_t i = 0; i < once.size(); ++i) EXPECT_TRUE(torch::equal(once[i], twice[i]));
}

// e ← d·e + (1−d)·θ with the θ after the step, for decays on both sides of ½ and for 0, which copies. The sizes fill less than one
// vector, and many.
TEST_P(Optimizers, AveragesFollowTheirRecurrence) {
    for (const int64_t size : {1, 3, 16, 70, 10001}) {
        torch::manual_seed(size);
        std::vector<at::Tensor> p{torch::randn({size}).requires_grad_(), torch::randn({2}).requires_grad_()};
        std::vector<at::Tensor> averages{torch::randn({size}), torch::randn({2})};
        Optimizer optimizer = make(p, {}, averages);
        std::vector<at::Tensor> expected{averages[0].to(torch::kDouble), averages[1].to(torch::kDouble)};
        for (const double decay : {0.9, 0.999, 0.3, 0.0, 0.5}) {
            optimizer.zero_grad();
            objective(p).backward();
            optimizer.step(0.01, decay);
            for (size_t i = 0; i < p.size(); ++i) {
                expected[i] = decay * expected[i] + (1 - decay) * p[i].detach().to(torch::kDouble);
                EXPECT_LT((averages[i] - expected[i]).abs().max().item<double>(), 2e-6);
                EXPECT_TRUE(decay != 0 || torch::equal(averages[i], p[i]));
            }
        }
    }
}

// LibTorch's own sum, in float32, is off by 7e-4 here.
TEST(Optimizer, AddsSquaresOfManyNumbers) {
    std::vector<at::Tensor> p{torch::zeros({3000001}).requires_grad_(), torch::zeros({2}).requires_grad_()};
    Optimizer optimizer(named(p), {}, TrainOptions{}, kernels_named("fast", "test"));
    (0.3 * p[0].sum() + p[1].sum()).backward();
    EXPECT_NEAR(optimizer.clip_grad_norm(0) / std::sqrt(0.09 * 3000001 + 2), 1, 1e-6);
}

}  // namespace
}  // namespace ddpm
