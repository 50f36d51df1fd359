#include "ddpm/train/forecast.h"

#include <gtest/gtest.h>

#include "train/small_run.h"

namespace ddpm {
namespace {

constexpr int64_t kMiB = 1 << 20;

MemoryForecast of_mebibytes(int64_t available) {
    MemoryForecast forecast;
    forecast.weights = 20 * kMiB;
    forecast.optimizer = 20 * kMiB;
    forecast.gradients = 10 * kMiB;
    forecast.fixed = 5 * kMiB;
    forecast.per_image = 8 * kMiB;
    forecast.read_ahead = kMiB;
    forecast.available = available * kMiB;
    return forecast;
}

std::pair<std::string, std::string> refusal(const MemoryForecast& forecast, const TrainOptions& options) {
    try {
        check_fits(forecast, options);
    } catch (const Error& error) {
        EXPECT_EQ(error.exit_code(), 2);
        return {error.what(), error.hint()};
    }
    return {};
}

TEST(Forecast, AddsUp) {
    const MemoryForecast forecast = of_mebibytes(1000);
    EXPECT_EQ(forecast.total(16, 1), (20 + 20 + 5 + 16 * 8 + 16) * kMiB) << "gradients come as activations go";
    EXPECT_EQ(forecast.total(16, 2), (20 + 20 + 10 + 5 + 16 * 8 + 16) * kMiB) << "those of the micro-batch before stay";
}

TEST(Forecast, RefusesWhatWontFitAndSaysWhatWould) {
    TrainOptions options;
    options.batch_size = 24;
    options.gradient_accumulation_steps = 2;
    EXPECT_EQ(refusal(of_mebibytes(1000), options).first, "");
    const auto [message, hint] = refusal(of_mebibytes(200), options);
    EXPECT_EQ(message, "train.batch_size: 24 images at a time need about 271 MiB of memory, and 200 MiB are available");
    // 12 would take 163 of the 180 that nine tenths are.
    EXPECT_EQ(hint, "--set train.batch_size=12 --set train.gradient_accumulation_steps=4 makes the same steps with about 163 MiB");
    EXPECT_EQ(
        refusal(of_mebibytes(60), options).second,
        "even one image at a time needs about 64 MiB: take a smaller network or image size, or train.gradient_checkpointing=true");
    MemoryForecast unknown = of_mebibytes(1);
    unknown.available.reset();
    EXPECT_EQ(refusal(unknown, options).first, "") << "nothing is refused where the system doesn't tell";
}

// What is counted for one and two images foretells every other number of them.
TEST(Forecast, IsLinearInTheImages) {
    SmallRun run(1);
    const MemoryForecast forecast = forecast_memory(run.job);
    int64_t parameters = 0;
    for (const at::Tensor& parameter : UNet2D(run.job.unet).parameters()) parameters += parameter.numel();
    EXPECT_EQ(forecast.gradients, 4 * parameters);
    EXPECT_EQ(forecast.optimizer, 8 * parameters);
    EXPECT_GE(forecast.weights, 8 * parameters);
    // An image leaves at least the output of every convolution behind: 8 and 16 channels, 8×8 pixels and fewer.
    EXPECT_GT(forecast.per_image, 8 * 64 * 4 * 6);
    EXPECT_LT(forecast.per_image, 1 << 20);
    run.job.train.gradient_checkpointing = true;
    EXPECT_LT(forecast_memory(run.job).per_image, forecast.per_image);
    run.job.train.gradient_checkpointing = false;
    run.job.train.precision = "bf16";
    EXPECT_NE(forecast_memory(run.job).per_image, forecast.per_image);
}

TEST(Forecast, ChangesNothingOfTheRun) {
    SmallRun with(4), without(4);
    forecast_memory(with.job);
    ASSERT_EQ(with.train(), "finished");
    ASSERT_EQ(without.train(), "finished");
    expect_same_checkpoint(with, without, 4);
}

}  // namespace
}  // namespace ddpm
