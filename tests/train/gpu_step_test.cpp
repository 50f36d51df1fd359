#include <cmath>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "ddpm/kernels/recording.h"
#include "ddpm/nn/unet.h"
#include "ddpm/train/step.h"
#include "nn/networks.h"

namespace ddpm {
namespace {

UNetConfig with_labels(bool learns_variance) {
    UNetConfig config = test::small_with_attention(16);
    if (learns_variance) config.out_channels *= 2;
    config.num_class_embeds = 4;
    config.dropout = 0.1;
    return config;
}

Batch batch_of(int64_t number) {
    Batch batch{6, 3, 16, 16, std::vector<float>(6 * 3 * 16 * 16), {0, 1, 2, 0, 1, 2}};
    RandomStream stream(7, Purpose::preview, static_cast<uint64_t>(number));
    for (float& x : batch.x_start) x = static_cast<float>(stream.uniform(-1, 1));
    return batch;
}

// Compares the recorded step of a GPU, with labels and dropout, with LibTorch's operators on the CPU: losses and gradients of six
// steps of two micro-batches each, while the weights change.
void compare(const DiffusionOptions& diffusion, TrainOptions options) {
    const c10::Device gpu(c10::kCUDA, 0);
    if (!at::hasCUDA() || !records_on(gpu)) GTEST_SKIP() << "no GPU, or no CUDA sources in this build";
    at::globalContext().setAllowTF32CuDNN(false);
    const UNetConfig config = with_labels(diffusion.variance_type == "learned_range");
    for (const char* precision : {"fp32", "bf16"}) {
        at::manual_seed(3);
        UNet2D here(config), there(config, kernels_named("fast", "test"));
        {
            const at::NoGradGuard no_grad;
            for (size_t i = 0; i < here.parameters().size(); ++i) there.parameters()[i].copy_(here.parameters()[i]);
        }
        move_to(there, gpu);
        options.gradient_accumulation_steps = 2;
        options.precision = "fp32";
        const TrainOptions on_cpu = options;
        options.precision = precision;
        const NoiseSchedule schedule = make_schedule(diffusion);
        const Objective objective = make_objective(schedule, diffusion, options);
        TrainingStep exact(here, objective, on_cpu, 5, Runtime{});
        TrainingStep ours(there, objective, options, 5, Runtime{gpu, 1});
        const bool full = options.precision == "fp32";
        for (int64_t step = 0; step < 6; ++step) {
            here.zero_grad();
            for (at::Tensor& parameter : there.parameters()) parameter.mutable_grad().reset();
            for (int64_t micro = 0; micro < 2; ++micro) {
                const Batch batch = batch_of(2 * step + micro);
                const double expected = exact.accumulate(batch, step, micro).item<double>();
                EXPECT_NEAR(ours.accumulate(batch, step, micro).item<double>(), expected, (full ? 1e-5 : 1e-2) * expected);
            }
            const at::NoGradGuard no_grad;
            double all = 0;
            for (const at::Tensor& parameter : here.parameters()) all = std::hypot(all, parameter.grad().norm().item<double>());
            for (size_t i = 0; i < here.parameters().size(); ++i) {
                at::Tensor a = there.parameters()[i], b = here.parameters()[i];
                const at::Tensor off = a.grad().cpu() - b.grad();
                const double size = b.grad().norm().item<double>();
                const double bound = full ? 1e-4 * size + 1e-6 * all : 5e-2 * size + 1e-3 * all;
                EXPECT_LT(off.norm().item<double>(), bound) << precision << " " << step << " " << i;
                b.add_(b.grad(), -0.05);
                a.copy_(b);
            }
        }
    }
}

TEST(GpuStep, IsTheStepOfTheCpu) {
    DiffusionOptions diffusion;
    diffusion.prediction_type = "v_prediction";
    compare(diffusion, {});
}

TEST(GpuStep, IsTheStepOfTheCpuWithALearnedVarianceWeightsAndOtherNoise) {
    DiffusionOptions diffusion;
    diffusion.prediction_type = "v_prediction";
    diffusion.variance_type = "learned_range";
    TrainOptions options;
    options.loss_weighting = "min_snr";
    options.input_perturbation = 0.1;
    options.noise_offset = 0.1;
    compare(diffusion, options);
}

}  // namespace
}  // namespace ddpm
