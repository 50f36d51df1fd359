#include "ddpm/train/forecast.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/memory.h"
#include "ddpm/core/tensor_memory.h"
#include "ddpm/diffusion/schedule.h"
#include "ddpm/nn/unet.h"
#include "ddpm/train/step.h"

namespace ddpm {

namespace {

constexpr int64_t kBatchesInTheLoader = 4;  // three in the making, one in use

Batch black_batch(const TrainJob& job, int64_t count) {
    Batch batch{count, job.dataset->channels(), job.dataset->height(), job.dataset->width(), {}, {}};
    batch.x_start.resize(static_cast<size_t>(count * batch.channels * batch.height * batch.width));
    batch.label.resize(static_cast<size_t>(count));
    return batch;
}

// Bytes that the second pass of a forecast may take: about half a second of work on two cores.
constexpr int64_t kSecondPass = int64_t{512} << 20;

}  // namespace

int64_t MemoryForecast::activations(int64_t batch_size) const { return std::max<int64_t>(fixed, 0) + per_image * batch_size; }

int64_t MemoryForecast::total(int64_t batch_size, int64_t accumulation) const {
    // The peak is at the beginning of the backward pass. There are no gradients yet, unless an earlier micro-batch left some.
    const int64_t pass = accumulation > 1 ? activations(batch_size) + gradients : std::max(activations(batch_size), gradients);
    return weights + optimizer + pass + read_ahead * batch_size;
}

MemoryForecast forecast_memory(const TrainJob& job) {
    MemoryForecast forecast;
    forecast.available = free_memory(job.runtime.device);
    UNet2D network(job.unet, *job.kernels);
    move_to(network, job.runtime.device);
    network.set_gradient_checkpointing(job.train.gradient_checkpointing);
    int64_t parameters = 0;
    for (const at::Tensor& parameter : network.parameters()) parameters += static_cast<int64_t>(parameter.nbytes());
    forecast.weights = (2 + static_cast<int64_t>(job.train.ema_widths.size())) * parameters;
    forecast.optimizer = 2 * parameters;
    forecast.gradients = parameters;
    if (job.runtime.device.is_cpu())
        forecast.read_ahead = kBatchesInTheLoader * job.dataset->channels() * job.dataset->height() * job.dataset->width() * 4;

    const NoiseSchedule schedule = make_schedule(job.diffusion);
    TrainingStep training(network, make_objective(schedule, job.diffusion, job.train), job.train, 0, job.runtime);
    // The gradients are there before the first pass, so that the passes differ only in their images.
    for (at::Tensor& parameter : network.parameters()) parameter.mutable_grad() = at::zeros_like(parameter);
    const auto peak_of_pass = [&](int64_t images) {
        const Batch batch = black_batch(job, images);
        return peak_tensor_memory(job.runtime.device, [&] { training.accumulate(batch, 0, 0); });
    };
    // The peak of many images may be in another place than that of one. So the second pass takes as many images as fit into
    // kSecondPass and a quarter of the memory, two at least: the same number on every machine that has the memory.
    const int64_t one = peak_of_pass(1);
    const int64_t room = std::min(kSecondPass, forecast.available.value_or(kSecondPass * 4) / 4);
    const int64_t more = std::max<int64_t>(std::min(job.train.batch_size, room / std::max<int64_t>(one, 1)), 2);
    forecast.per_image = std::max<int64_t>(peak_of_pass(more) - one, 0) / (more - 1);
    forecast.fixed = one - forecast.per_image;
    return forecast;
}

std::string describe(const MemoryForecast& forecast, const TrainOptions& options) {
    const int64_t total = forecast.total(options.batch_size, options.gradient_accumulation_steps);
    return fmt::format("about {}: weights and averages {}, optimizer {}, gradients {}, activations {} (batch of {}){}",
                       format_bytes(total), format_bytes(forecast.weights), format_bytes(forecast.optimizer),
                       format_bytes(forecast.gradients), format_bytes(forecast.activations(options.batch_size)), options.batch_size,
                       forecast.available ? fmt::format("; {} are available", format_bytes(*forecast.available)) : "");
}

void check_fits(const MemoryForecast& forecast, const TrainOptions& options) {
    const int64_t accumulation = options.gradient_accumulation_steps;
    const int64_t total = forecast.total(options.batch_size, accumulation);
    if (!forecast.available || total <= *forecast.available) return;
    std::string hint = fmt::format("even one image at a time needs about {}: take a smaller network or image size{}",
                                   format_bytes(forecast.total(1, options.batch_size * accumulation)),
                                   options.gradient_checkpointing ? "" : ", or train.gradient_checkpointing=true");
    for (int64_t parts = 2; parts <= options.batch_size; ++parts) {
        if (options.batch_size % parts != 0) continue;
        const int64_t smaller = options.batch_size / parts, needed = forecast.total(smaller, accumulation * parts);
        if (needed > *forecast.available / 10 * 9) continue;
        hint =
            fmt::format("--set train.batch_size={} --set train.gradient_accumulation_steps={} makes the same steps with about {}",
                        smaller, accumulation * parts, format_bytes(needed));
        break;
    }
    key_error("train.batch_size",
              fmt::format("{} images at a time need about {} of memory, and {} are available", options.batch_size,
                          format_bytes(total), format_bytes(*forecast.available)),
              hint);
}

}  // namespace ddpm
