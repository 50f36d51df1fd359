#include <array>
#include <cmath>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "ddpm/kernels/noise.h"
#include "ddpm/kernels/recording.h"
#include "kernels/compare.h"
#include "kernels/forms.h"

// What a build with CUDA sources has of its own, against float64 and against the CPU.
namespace ddpm::kernels {
namespace {

const c10::Device kGpu(c10::kCUDA, 0);

class Gpu : public ::testing::Test {
protected:
    void SetUp() override {
        if (!at::hasCUDA() || !records_on(kGpu)) GTEST_SKIP() << "no GPU, or no CUDA sources in this build";
        at::manual_seed(1);
        at::globalContext().setAllowTF32CuDNN(false);
    }
};

// Groups of 4, 8, 12, 16 and 3 channels; slabs that fit into shared memory and one that doesn't; few and many pixels.
TEST_F(Gpu, NormalizesAndActivates) {
    for (const auto& [n, channels, groups, height, width] : std::vector<std::array<int64_t, 5>>{{2, 128, 32, 32, 32},
                                                                                                {3, 256, 32, 16, 16},
                                                                                                {2, 384, 32, 32, 32},
                                                                                                {2, 512, 32, 8, 8},
                                                                                                {2, 256, 32, 4, 4},
                                                                                                {2, 96, 32, 5, 7},
                                                                                                {1, 32, 8, 128, 96},
                                                                                                {1, 16, 1, 150, 150},
                                                                                                {2, 64, 8, 1, 1}}) {
        for (const bool silu : {false, true}) {
            for (const int kind : {0, 1, 2}) {  // nothing, shift, scale and offset
                SCOPED_TRACE(std::to_string(channels) + " channels, " + std::to_string(height) + " high, kind " +
                             std::to_string(kind));
                std::vector<at::Tensor> leaves{3 * normal({n, channels, height, width}) + 1, normal({channels}),
                                               normal({channels})};
                for (int i = 0; i < kind; ++i) leaves.push_back(normal({n, channels}));
                const Function f = normalization(groups, silu, kind);
                compare(f, leaves, {n, channels, height, width}, {3e-4, 2e-5}, at::kFloat, kGpu);
                // Gradients reach twenty times their RMS, which bfloat16 rounds by up to 1/256, twice.
                compare(f, leaves, {n, channels, height, width}, {1.5e-1, 1e-2}, at::kBFloat16, kGpu);
            }
        }
    }
}

TEST_F(Gpu, SurvivesALargeMean) {
    const at::Tensor x = at::randn({1, 32, 64, 64}, at::kDouble) * 0.1 + 1000;
    const at::Tensor rounded = x.to(at::kFloat);
    const NormArguments arguments{at::ones({32}, kGpu), at::zeros({32}, kGpu), 32, 1e-5, false, {}, {}, {}};
    const at::Tensor exact = at::group_norm(rounded.to(at::kDouble), 32, {}, {}, 1e-5);
    EXPECT_LT(distance(fast().norm(rounded.to(kGpu), arguments).cpu(), exact).max, 2e-3);
}

TEST_F(Gpu, ConvolvesAndAdds) {
    for (const auto& [n, in, out, height, width] :
         std::vector<std::array<int64_t, 5>>{{2, 32, 64, 16, 16}, {3, 96, 32, 10, 7}, {70, 64, 128, 4, 4}}) {
        for (const int kind : {0, 1, 2}) {  // bias, residual, neither
            std::vector<at::Tensor> leaves{normal({n, in, height, width}), normal({out, in, 3, 3}) * 0.1};
            if (kind < 2) leaves.push_back(normal({out}));
            if (kind == 1) leaves.push_back(normal({n, out, height, width}));
            const Function f = [](const Kernels& kernels, const std::vector<at::Tensor>& x) {
                return kernels.conv3x3(x[0], x[1], x.size() > 2 ? x[2] : at::Tensor(), x.size() > 3 ? x[3] : at::Tensor());
            };
            compare(f, leaves, {n, out, height, width}, {2e-4, 2e-5}, at::kFloat, kGpu);
            compare(f, leaves, {n, out, height, width}, {6e-2, 1e-2}, at::kBFloat16, kGpu, at::kBFloat16);
        }
    }
    const Function one = [](const Kernels& kernels, const std::vector<at::Tensor>& x) {
        return kernels.conv1x1(x[0], x[1].view({64, 32, 1, 1}), x[2]);
    };
    compare(one, {normal({2, 32, 5, 7}), normal({64, 32}), normal({64})}, {2, 64, 5, 7}, {1e-4, 1e-5}, at::kFloat, kGpu);
}

TEST_F(Gpu, MapsRowsAndAttends) {
    const Function linear = [](const Kernels& kernels, const std::vector<at::Tensor>& x) {
        return kernels.linear(x[0], x[1], x[2], x[3]);
    };
    compare(linear, {normal({3, 35, 64}), normal({96, 64}) * 0.1, normal({96}), normal({3, 35, 96})}, {3, 35, 96}, {1e-4, 1e-5},
            at::kFloat, kGpu);
    const Function attention = [](const Kernels& kernels, const std::vector<at::Tensor>& x) { return kernels.attention(x[0]); };
    compare(attention, {normal({2, 64, 3, 1, 64})}, {2, 64, 64}, {5e-4, 5e-5}, at::kFloat, kGpu);
    compare(attention, {normal({2, 64, 3, 1, 256})}, {2, 64, 256}, {1.5e-1, 1e-2}, at::kBFloat16, kGpu);
}

// The noise of a seed is the same on every device: at most a rounding apart, and that hardly ever.
TEST_F(Gpu, DrawsTheNoiseOfTheCpu) {
    for (const auto& sizes : std::vector<std::vector<int64_t>>{{1, 393216}, {5, 3, 33, 31}, {3, 1}}) {
        const at::Tensor here = at::empty(sizes), there = at::full(sizes, NAN, kGpu);
        fill_normal(here, 17, Purpose::noise, 12345678901, 9);
        fill_normal(there, 17, Purpose::noise, 12345678901, 9);
        const at::Tensor off = (there.cpu() - here).abs();
        EXPECT_TRUE((off <= 2e-7 * here.abs().clamp_min(1e-3)).all().item<bool>()) << off.max();
        EXPECT_LE(at::count_nonzero(off).item<int64_t>(), 1 + off.numel() / 100000);
    }
}

// And so is what dropout loses, to the bit.
TEST_F(Gpu, DropsWhatTheCpuDrops) {
    for (const auto& sizes : std::vector<std::vector<int64_t>>{{5, 32, 16, 16}, {3, 3, 5, 7}, {70000, 1, 1, 1}}) {
        const at::Tensor x = at::empty(sizes), seeds = at::randint(1 << 30, {sizes[0]}, at::kLong);
        const at::Tensor here = dropout_mask(x, 0.3, seeds, 4), there = dropout_mask(x.to(kGpu), 0.3, seeds.to(kGpu), 4);
        EXPECT_TRUE(at::equal(there.cpu(), here)) << x.sizes();
    }
}

struct Weights {
    std::vector<at::Tensor> p, g, m, v, e;
    Weights on(const c10::Device& device, at::ScalarType type) const {
        Weights there;
        for (auto [from, to] : {std::pair{&p, &there.p}, {&g, &there.g}, {&m, &there.m}, {&v, &there.v}, {&e, &there.e}})
            for (const at::Tensor& x : *from) to->push_back(x.to(device, type, /*non_blocking=*/false, /*copy=*/true));
        return there;
    }
};

// Against the same update in float64 on the CPU: sizes that are and aren't whole blocks, a view off the 16-byte grid,
// channels-last weights.
TEST_F(Gpu, TakesTheOptimizersStep) {
    Weights exact;
    for (const std::vector<int64_t>& sizes : std::vector<std::vector<int64_t>>{{1}, {7}, {8192}, {20001}, {64, 32, 3, 3}})
        for (auto* list : {&exact.p, &exact.g, &exact.m, &exact.v, &exact.e})
            list->push_back(list == &exact.v ? at::rand(sizes, at::kDouble) : at::randn(sizes, at::kDouble));
    const Weights rounded = exact.on(c10::kCPU, at::kFloat);
    exact = rounded.on(c10::kCPU, at::kDouble);
    Weights ours = rounded.on(kGpu, at::kFloat);
    for (auto* list : {&ours.p, &ours.g, &ours.m, &ours.v, &ours.e}) {
        (*list)[4] = (*list)[4].contiguous(at::MemoryFormat::ChannelsLast);
        const at::Tensor room = at::zeros({(*list)[3].numel() + 1}, kGpu);
        (*list)[3] = room.slice(0, 1).copy_((*list)[3]);
    }
    double squares = 0;
    for (const at::Tensor& g : exact.g) squares += g.square().sum().item<double>();
    EXPECT_NEAR(fast().gradient_norm(ours.g), std::sqrt(squares), 1e-6 * std::sqrt(squares));
    for (const bool decoupled : {false, true}) {
        AdamUpdate update;
        update.learning_rate = 1e-2;
        update.weight_decay = 0.1;
        update.decoupled = decoupled;
        update.step = decoupled ? 2 : 1;
        update.gradient_scale = 0.25;
        update.ema_decay = decoupled ? 0.999 : 0.1;
        update.more_decays = {0.9, 0.3};
        std::vector<std::vector<at::Tensor>> ours_more, exact_more;
        for (int k = 0; k < 2; ++k) {
            ours_more.emplace_back();
            exact_more.emplace_back();
            for (const at::Tensor& e : ours.e) ours_more.back().push_back(e.clone());
            for (const at::Tensor& e : exact.e) exact_more.back().push_back(e.clone());
        }
        fast().adam({ours.p, ours.g, ours.m, ours.v, ours.e, ours_more}, update);
        plain_adam({exact.p, exact.g, exact.m, exact.v, exact.e, exact_more}, update);
        for (size_t k = 0; k < 2; ++k)
            for (size_t i = 0; i < ours.e.size(); ++i)
                EXPECT_LT((ours_more[k][i].cpu().to(at::kDouble) - exact_more[k][i]).abs().max().item<double>(), 2e-6) << i;
        for (const auto& [a, b] : {std::pair{&ours.p, &exact.p}, {&ours.m, &exact.m}, {&ours.v, &exact.v}, {&ours.e, &exact.e}})
            for (size_t i = 0; i < a->size(); ++i)
                EXPECT_LT(((*a)[i].cpu().to(at::kDouble) - (*b)[i]).abs().max().item<double>(), 2e-6) << i;
    }
}

// Called twice, recorded, replayed: each run is one run, with the inputs of its time.
TEST_F(Gpu, RecordsAndReplays) {
    const at::Tensor x = at::zeros({1000}, kGpu), sum = at::zeros({1000}, kGpu);
    at::Tensor twice;
    int calls = 0;
    Recording recording(kGpu, [&] {
        ++calls;
        twice = 2 * x;
        sum.add_(twice);
    });
    for (int run = 1; run <= 6; ++run) {
        x.fill_(run);
        recording.run();
        EXPECT_EQ(twice[3].item<float>(), 2 * run);
        EXPECT_EQ(sum[999].item<float>(), run * (run + 1));
    }
    EXPECT_EQ(calls, 3);
}

// Work that looks at a number can't be recorded, and is done all the same.
TEST_F(Gpu, GoesOnWithWhatCantBeRecorded) {
    const at::Tensor x = at::zeros({10}, kGpu);
    Recording recording(kGpu, [&] {
        if (x.sum().item<float>() >= 0) x.add_(1);
    });
    for (int run = 0; run < 5; ++run) recording.run();
    EXPECT_EQ(x[0].item<float>(), 5);
}

}  // namespace
}  // namespace ddpm::kernels
