#include "ddpm/train/optimizer.h"

#include <cmath>

#include <gtest/gtest.h>
#include <torch/nn.h>
#include <torch/optim.h>

#include "ddpm/train/ema.h"

namespace ddpm {
namespace {

std::vector<at::Tensor> random_parameters(uint64_t seed) {
    torch::manual_seed(seed);
    return {torch::randn({3, 4}).requires_grad_(), torch::randn({5}).requires_grad_()};
}

Optimizer::Named named(const std::vector<at::Tensor>& parameters) { return {{"a", parameters[0]}, {"b", parameters[1]}}; }

at::Tensor objective(const std::vector<at::Tensor>& p) { return (p[0].pow(4).sum() + (p[1] * p[1].sin()).sum()); }

// The loop-based optimizers of LibTorch are an implementation of their own.
template <class TorchOptimizer, class TorchOptions>
void expect_same_path(const TrainOptions& options) {
    auto ours = random_parameters(1), theirs = random_parameters(1);
    Optimizer optimizer(named(ours), options);
    TorchOptimizer reference(theirs, TorchOptions(0.01)
                                         .betas({options.adam_beta1, options.adam_beta2})
                                         .eps(options.adam_epsilon)
                                         .weight_decay(options.weight_decay));
    for (int step = 0; step < 20; ++step) {
        optimizer.zero_grad();
        objective(ours).backward();
        optimizer.step(0.01);
        reference.zero_grad();
        objective(theirs).backward();
        reference.step();
    }
    for (size_t i = 0; i < ours.size(); ++i) EXPECT_TRUE(torch::allclose(ours[i], theirs[i], 1e-5, 1e-6));
    EXPECT_EQ(optimizer.steps_done(), 20);
}

TEST(Optimizer, AdamWAndAdamAgreeWithLibTorchs) {
    TrainOptions options;
    options.weight_decay = 0.1;
    expect_same_path<torch::optim::AdamW, torch::optim::AdamWOptions>(options);
    options.optimizer = "adam";
    expect_same_path<torch::optim::Adam, torch::optim::AdamOptions>(options);
}

TEST(Optimizer, ClipsToTheJointNorm) {
    auto parameters = random_parameters(2);
    Optimizer optimizer(named(parameters), TrainOptions{});
    (3.0 * parameters[0].sum() + 4.0 * parameters[1].sum()).backward();
    const double expected = std::sqrt(9.0 * 12 + 16.0 * 5);
    EXPECT_NEAR(optimizer.clip_grad_norm(0), expected, 1e-4);
    EXPECT_NEAR(optimizer.clip_grad_norm(1.0), expected, 1e-4) << "0 left them alone";
    EXPECT_NEAR(optimizer.clip_grad_norm(100.0), 1.0, 1e-4);
}

TEST(Optimizer, GoesOnFromItsState) {
    auto once = random_parameters(3), twice = random_parameters(3);
    Optimizer whole(named(once), TrainOptions{});
    const auto steps = [](Optimizer& optimizer, std::vector<at::Tensor>& p, int n) {
        for (int i = 0; i < n; ++i) {
            optimizer.zero_grad();
            objective(p).backward();
            optimizer.step(0.01);
        }
    };
    steps(whole, once, 10);
    Optimizer first(named(twice), TrainOptions{});
    steps(first, twice, 4);
    Optimizer second(named(twice), TrainOptions{});
    const torch::NoGradGuard no_grad;
    auto from = first.state(), to = second.state();
    for (size_t i = 0; i < from.size(); ++i) {
        EXPECT_EQ(from[i].first, to[i].first);
        to[i].second.copy_(from[i].second);
    }
    second.set_steps_done(first.steps_done());
    torch::AutoGradMode grad(true);
    steps(second, twice, 6);
    for (size_t i = 0; i < once.size(); ++i) EXPECT_TRUE(torch::equal(once[i], twice[i]));
}

TEST(Ema, FollowsItsRecurrence) {
    const at::Tensor average = torch::zeros({2}), parameter = torch::ones({2});
    double expected = 0;
    for (int n = 0; n < 50; ++n) {
        update_ema({average}, {parameter}, 0.9);
        expected = 0.9 * expected + 0.1;
    }
    EXPECT_NEAR(average[0].item<double>(), expected, 1e-6);
    EXPECT_NEAR(expected, 1 - std::pow(0.9, 50), 1e-12);
    update_ema({average}, {torch::full({2}, 7.0)}, 0.0);
    EXPECT_EQ(average[1].item<double>(), 7.0) << "decay 0 copies";
}

}  // namespace
}  // namespace ddpm
