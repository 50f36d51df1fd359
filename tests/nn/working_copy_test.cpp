#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "ddpm/nn/unet.h"
#include "ddpm/nn/working_copy.h"
#include "nn/networks.h"

namespace ddpm {
namespace {

struct Inputs {
    at::Tensor x = at::randn({3, 3, 8, 8}), t = at::tensor({0, 500, 999}), weight = at::randn({3, 3, 8, 8});
};

std::vector<at::Tensor> gradients_of(const UNet2D& network) {
    std::vector<at::Tensor> all;
    for (const at::Tensor& parameter : network.parameters()) all.push_back(parameter.grad().clone());
    return all;
}

// In float32 the copy is the network itself, its gradients too; a second pass adds to them.
TEST(WorkingCopy, IsTheNetwork) {
    at::manual_seed(1);
    const Inputs in;
    at::manual_seed(5);  // LibTorch's own initial weights, none of them 0
    UNet2D network(test::small_with_attention(8));
    at::manual_seed(5);
    UNet2D same(test::small_with_attention(8));
    WorkingCopy copy(network, at::kFloat);
    const at::Tensor expected = same.forward(in.x, in.t);
    (expected * in.weight).sum().backward();
    const std::vector<at::Tensor> gradients = gradients_of(same);
    for (int pass = 1; pass <= 2; ++pass) {
        copy.refresh();
        copy.clear_gradients();
        const at::Tensor y = copy.forward(in.x, in.t, {});
        EXPECT_TRUE(at::equal(y, expected));
        (y * in.weight).sum().backward();
        copy.add_gradients_to_original();
        const std::vector<at::Tensor> ours = gradients_of(network);
        for (size_t i = 0; i < ours.size(); ++i) EXPECT_TRUE(at::equal(ours[i], pass * gradients[i])) << i;
    }
}

// In bfloat16 the copy is autocast's network within bfloat16's rounding, its gradients arrive in float32, and it
// follows when the weights change.
TEST(WorkingCopy, HoldsWeightsInAnotherType) {
    at::manual_seed(2);
    const Inputs in;
    UNet2D network(test::small_with_attention(8));
    WorkingCopy copy(network, at::kBFloat16);
    const auto distance = [](const at::Tensor& a, const at::Tensor& b) {
        return ((a.to(at::kFloat) - b).square().mean() / b.square().mean()).sqrt().item<double>();
    };
    for (const bool changed : {false, true}) {
        if (changed) {
            const at::NoGradGuard no_grad;
            for (at::Tensor& parameter : network.parameters()) parameter.mul_(1.25);
            EXPECT_GT(distance(copy.forward(in.x, in.t, {}), network.forward(in.x, in.t)), 0.1);  // not refreshed yet
            copy.refresh();
        }
        network.zero_grad();
        copy.clear_gradients();
        const at::Tensor y = copy.forward(in.x, in.t, {});
        EXPECT_EQ(y.scalar_type(), at::kBFloat16);
        (y.to(at::kFloat) * in.weight).sum().backward();
        copy.add_gradients_to_original();
        const std::vector<at::Tensor> ours = gradients_of(network);
        network.zero_grad();
        const at::Tensor exact = network.forward(in.x, in.t);
        EXPECT_LT(distance(y, exact), 3e-2);
        (exact * in.weight).sum().backward();
        const std::vector<at::Tensor> gradients = gradients_of(network);
        for (size_t i = 0; i < ours.size(); ++i) {
            EXPECT_EQ(ours[i].scalar_type(), at::kFloat);
            if (gradients[i].square().mean().item<double>() > 1e-6) {
                EXPECT_LT(distance(ours[i], gradients[i]), 0.15) << i;
            }
        }
    }
}

}  // namespace
}  // namespace ddpm
