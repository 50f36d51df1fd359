// A million steps of the real step, metrics and counters around a network of one weight.

#include <cmath>
#include <fstream>
#include <numbers>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "ddpm/core/files.h"
#include "ddpm/kernels/kernels.h"
#include "ddpm/report/metrics.h"
#include "ddpm/train/ema.h"
#include "ddpm/train/learning_rate.h"
#include "support/temp_folder.h"
#include "train/state.h"

namespace ddpm::train {
namespace {

constexpr int64_t kSteps = 1'000'000;

// Rounding to float32 may change a moving average by half a unit in the last place for each of the 1/(1 − decay) steps that it
// remembers.
double rounding_of(double average, double decay) { return std::exp2(-24) * std::abs(average) / (1 - decay); }

// A state whose one weight stands for the network.
struct NullNetwork {
    TrainOptions options;
    at::Tensor weight = at::zeros({1}).requires_grad_(true), average = at::zeros({1});
    TrainState state;

    explicit NullNetwork(const TrainOptions& given) : options(given), state(job(given)) {
        state.optimizer = std::make_unique<Optimizer>(Optimizer::Named{{"weight", weight}}, std::vector{average}, options, fast());
    }

    static const Kernels& fast() { return kernels_named("fast", "fast"); }

    static TrainJob job(const TrainOptions& options) {
        TrainJob job;
        job.unet.sample_size = {{4, 4}};
        job.unet.block_out_channels = {8};
        job.unet.norm_num_groups = 1;
        job.unet.down_block_types = {"DownBlock2D"};
        job.unet.up_block_types = {"UpBlock2D"};
        job.unet.layers_per_block = 1;
        job.train = options;
        return job;
    }

    float* value() { return weight.mutable_data_ptr<float>(); }
};

// With the gradients g_n = 1 + cos(n)/2, set beside float64: each update from weight 0, so that only its own size counts.
TEST(LongRun, AMillionStepsKeepToFloat64) {
    TrainOptions options;
    options.steps = kSteps;
    options.warmup_steps = 1000;
    options.lr_schedule = "cosine";
    options.learning_rate = 2e-4;
    options.clip_grad_norm = 0;
    NullNetwork null(options);
    at::Tensor gradient = at::zeros({1});
    const at::Tensor loss = at::full({}, 0.25);
    float* const g = gradient.mutable_data_ptr<float>();

    const TempFolder folder;
    MetricsWriter metrics(folder / "metrics.jsonl");
    double m = 0, v = 0, average = 0, power1 = 1, power2 = 1, worst = 0;
    for (int64_t n = 0; n < kSteps; ++n) {
        *null.value() = 0;
        g[0] = static_cast<float>(1 + 0.5 * std::cos(static_cast<double>(n)));
        const StepResult result = null.state.take_step(options, [&](int64_t) {
            null.weight.mutable_grad() = gradient;
            return loss;
        });
        m = options.adam_beta1 * m + (1 - options.adam_beta1) * g[0];
        v = options.adam_beta2 * v + (1 - options.adam_beta2) * g[0] * g[0];
        power1 *= options.adam_beta1;
        power2 *= options.adam_beta2;
        const double p = static_cast<double>(n - 1000) / static_cast<double>(kSteps - 1000);
        const double rate = n < 1000 ? 2e-4 * static_cast<double>(n + 1) / 1000 : 1e-4 * (1 + std::cos(std::numbers::pi * p));
        EXPECT_NEAR(result.learning_rate, rate, 1e-15);
        const double update = -rate * (m / (1 - power1)) / (std::sqrt(v / (1 - power2)) + options.adam_epsilon);
        worst = std::max(worst, std::abs(*null.value() / update - 1));
        const double decay = n == 0 ? 0 : std::min(options.ema_decay, static_cast<double>(n + 1) / static_cast<double>(n + 10));
        average = decay * average + (1 - decay) * update;
        if (n % 1000 == 999) {
            EXPECT_NEAR(result.grad_norm, g[0], 1e-6 * g[0]);
            EXPECT_NEAR(null.average.item<float>(), average, rounding_of(average, options.ema_decay)) << n;
        }
        metrics.append({{"step", null.state.step},
                        {"loss", result.loss},
                        {"grad_norm", result.grad_norm},
                        {"lr", result.learning_rate},
                        {"images_per_second", 123456.78},
                        {"time", 1764121234.567}});
        ASSERT_FALSE(HasFailure()) << "step " << n;
    }
    EXPECT_LT(worst, 2e-6) << "relative, of all updates";
    EXPECT_EQ(null.state.step, kSteps);
    EXPECT_EQ(null.state.optimizer->steps_done(), kSteps);

    // One line a step, none longer than 160 bytes.
    std::ifstream file(folder / "metrics.jsonl");
    int64_t lines = 0;
    size_t longest = 0;
    std::string line, last;
    for (; std::getline(file, line); ++lines, last = line) longest = std::max(longest, line.size());
    EXPECT_EQ(lines, kSteps);
    EXPECT_EQ(parse_json(last, "last").at("step"), kSteps);
    EXPECT_LT(longest, 160u);
}

// float32 counts no further than 2^24; the updates of such a run must not notice.
TEST(LongRun, TheStepCountIsNotRoundedAway) {
    TrainOptions options;
    for (const char* kernels : {"fast", "plain"}) {
        at::Tensor weight = at::zeros({1}).requires_grad_(true);
        Optimizer optimizer({{"weight", weight}}, {}, options, kernels_named(kernels, "kernels"));
        optimizer.set_steps_done((int64_t{1} << 24) + 1);
        for (int i = 0; i < 3; ++i) {
            weight.mutable_grad() = at::ones({1});
            optimizer.step(1e-3, 0);
        }
        EXPECT_EQ(optimizer.steps_done(), (int64_t{1} << 24) + 4);
        // From empty moments without any correction: m = 0.1, 0.19, 0.271 and v = 0.001, 0.001999, 0.002997.
        const double expected = -1e-3 * (0.1 / std::sqrt(0.001) + 0.19 / std::sqrt(0.001999) + 0.271 / std::sqrt(0.002997001));
        EXPECT_NEAR(weight.item<float>(), expected, 1e-5 * std::abs(expected)) << kernels;
    }
}

// A weight that drifts slowly, as at the end of a training.
TEST(LongRun, TheMovingAverageFollowsToItsRounding) {
    const double decay = 0.9999;
    at::Tensor weight = at::zeros({1}).requires_grad_(true), average = at::zeros({1});
    Optimizer optimizer({{"weight", weight}}, {average}, TrainOptions{}, NullNetwork::fast());
    weight.mutable_grad() = at::zeros({1});
    double exact = 0;
    for (int64_t n = 0; n < kSteps; ++n) {
        const auto value = static_cast<float>(1 + 1e-6 * static_cast<double>(n));
        *weight.mutable_data_ptr<float>() = value;
        const double d = ema_decay_at(n, decay, true);
        optimizer.step(0, d);
        exact = d * exact + (1 - d) * value;
        if (n % 1000 == 999) {
            ASSERT_NEAR(average.item<float>(), exact, rounding_of(exact, decay)) << n;
        }
    }
}

}  // namespace
}  // namespace ddpm::train
