// Times training steps and forward passes of the networks that the published comparisons use. Flags and the JSON line
// are those of bench/peers/bench_diffusers.py, so that two programs can be timed side by side.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include <c10/core/CachingDeviceAllocator.h>
#include <sys/resource.h>
#include <torch/types.h>
#include <CLI/CLI.hpp>

#include "bench/profile.h"
#include "ddpm/core/error.h"
#include "ddpm/core/json.h"
#include "ddpm/core/random.h"
#include "ddpm/core/runtime.h"
#include "ddpm/core/torch_compat.h"
#include "ddpm/dataset/dataset.h"
#include "ddpm/dataset/loader.h"
#include "ddpm/kernels/instruction_set.h"
#include "ddpm/kernels/recording.h"
#include "ddpm/nn/init.h"
#include "ddpm/nn/options.h"
#include "ddpm/nn/unet.h"
#include "ddpm/nn/working_copy.h"
#include "ddpm/pipeline/session.h"
#include "ddpm/train/optimizer.h"
#include "ddpm/train/step.h"

namespace {

struct Net {
    const char* name;
    std::vector<int64_t> block_out_channels;
};

const Net kNets[] = {{"s32", {32, 64, 64}}, {"s64", {64, 128, 128}}, {"cifar10", {128, 256, 256, 256}}};

double milliseconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

// Interpolates linearly between order statistics.
double quantile(std::vector<double> sorted, double q) {
    const double position = q * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<size_t>(position);
    const size_t above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (position - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

double round2(double value) { return std::round(value * 100) / 100; }

}  // namespace

int main(int argc, char** argv) try {
    using namespace ddpm;
    std::string net_name = "s64", dtype = "fp32", what = "train", kernels_name = "fast", images, capability = "avx512",
                device = "cpu";
    int64_t batch = 16, size = 64;
    bool checkpointing = false, profile = false;
    int threads = 0, warmup = 5, steps = 20, sampling_steps = 50;
    CLI::App app("Times this program's training step or forward pass.");
    app.add_option("--net", net_name)->check(CLI::IsMember({"s32", "s64", "cifar10"}));
    app.add_option("--batch", batch)->check(CLI::PositiveNumber);
    app.add_option("--dtype", dtype)->check(CLI::IsMember({"fp32", "bf16"}));
    app.add_option("--what", what)->check(CLI::IsMember({"train", "forward", "sample", "data"}));
    app.add_option("--images", images, "for data: a folder of pictures, read and cropped to --size");
    app.add_option("--size", size, "for data: of the crop, in pixels")->check(CLI::PositiveNumber);
    app.add_option("--threads", threads);
    app.add_option("--device", device, "cpu, cuda or cuda:N");
    app.add_option("--cpu-capability", capability, "avx512 or avx2: the best instructions that the fast kernels use");
    app.add_option("--kernels", kernels_name)->check(CLI::IsMember(kernel_names()));
    app.add_option("--sampling-steps", sampling_steps, "for sample: DDIM steps of one batch")->check(CLI::PositiveNumber);
    app.add_flag("--gradient-checkpointing", checkpointing);
    app.add_flag("--profile", profile, "the time of each operator instead, as a table");
    app.add_option("--warmup", warmup)->check(CLI::NonNegativeNumber);
    app.add_option("--steps", steps)->check(CLI::PositiveNumber);
    CLI11_PARSE(app, argc, argv);

    const auto start = std::chrono::steady_clock::now();
    const Runtime runtime = start_runtime(device, threads, false, "--device");
    ModelOptions model;
    for (const Net& net : kNets)
        if (net_name == net.name) model.block_out_channels = net.block_out_channels;
    cap_instruction_set(capability, "--cpu-capability");
    const Kernels& kernels = kernels_named(kernels_name, "--kernels");
    UNet2D network(resolve_unet(model, 32, 32, 3), kernels);
    initialize_weights(network, 0);
    move_to(network, runtime.device);
    DiffusionOptions diffusion;
    diffusion.schedule = "linear";
    const NoiseSchedule schedule = make_schedule(diffusion);

    Batch data{batch,
               3,
               32,
               32,
               std::vector<float>(static_cast<size_t>(batch * 3 * 32 * 32)),
               std::vector<int64_t>(static_cast<size_t>(batch), -1)};
    RandomStream stream(0, Purpose::preview);
    for (float& x : data.x_start) x = static_cast<float>(stream.uniform(-1, 1));

    std::function<void(int64_t)> step;
    DatasetOptions pictures;
    pictures.type = "image_folder";
    pictures.path = images;
    pictures.height = pictures.width = size;
    pictures.cache_mb = 0;
    std::unique_ptr<Dataset> dataset;
    std::unique_ptr<BatchLoader> loader;
    TrainOptions options;
    options.precision = dtype;
    std::unique_ptr<UNet2D> ema;
    std::unique_ptr<Optimizer> optimizer;
    std::unique_ptr<TrainingStep> training;
    std::vector<at::Tensor> averages;
    std::unique_ptr<Session> session;
    std::unique_ptr<WorkingCopy> copy;
    std::unique_ptr<Recording> recording;
    at::Tensor answer;
    if (what == "train") {
        network.train();
        network.set_gradient_checkpointing(checkpointing);
        ema = std::make_unique<UNet2D>(resolve_unet(model, 32, 32, 3), kernels);
        move_to(*ema, runtime.device);
        Optimizer::Named named;
        for (const auto& item : network.named_parameters()) named.emplace_back(item.key(), item.value());
        averages = ema->parameters();
        for (at::Tensor& average : averages) average.requires_grad_(false).zero_();
        optimizer = std::make_unique<Optimizer>(named, averages, options, kernels);
        training = std::make_unique<TrainingStep>(network, schedule, PredictionType::epsilon, options, 0, runtime);
        step = [&](int64_t k) {
            optimizer->zero_grad();
            const at::Tensor loss = training->accumulate(data, k, 0);
            optimizer->clip_grad_norm(1.0);
            loss.item<double>();
            optimizer->step(2e-4, 0.9999);
        };
    } else if (what == "data") {
        dataset = open_dataset(pictures, 0, runtime.threads);
        loader = std::make_unique<BatchLoader>(*dataset, batch, 0, runtime.threads);
        step = [&](int64_t k) { loader->load(k); };
    } else if (what == "sample") {
        network.eval();
        SampleOptions asked;
        asked.sampler = "ddim";
        asked.steps = sampling_steps;
        const Model untrained{
            .source = "untrained", .network = {std::shared_ptr<void>(), &network}, .schedule = schedule, .height = 32, .width = 32};
        session = std::make_unique<Session>(untrained, SessionOptions{.sample = asked, .precision = dtype});
        step = [&](int64_t) { session->sample(0, batch); };
    } else {
        network.eval();
        const at::Tensor x = torch::from_blob(data.x_start.data(), {batch, 3, 32, 32}).to(runtime.device);
        const at::Tensor t = torch::full({batch}, 500, x.options().dtype(torch::kLong));
        if (records_on(runtime.device) && kernels_name == "fast") {
            copy = std::make_unique<WorkingCopy>(network, dtype == "bf16" ? at::kBFloat16 : at::kFloat);
            recording = std::make_unique<Recording>(runtime.device, [&, x, t] { answer = copy->forward(x, t, {}); });
        }
        step = [&, x, t](int64_t) {
            const c10::InferenceMode inference;
            if (recording) {
                recording->run();
            } else {
                const PrecisionGuard precision(runtime.device, dtype);
                answer = network.forward(x, t, {});
            }
            if (!runtime.device.is_cpu()) answer.select(0, 0).select(0, 0).select(0, 0)[0].item<float>();  // waits for it
        };
    }

    std::vector<double> times;
    for (int k = 0; k < warmup + steps; ++k) {
        if (profile && k == warmup) start_profile(!runtime.device.is_cpu());
        const auto begin = std::chrono::steady_clock::now();
        step(k);
        if (k >= warmup) times.push_back(milliseconds_since(begin));
    }
    if (profile) {
        std::printf("%s", stop_profile(!runtime.device.is_cpu(), steps).c_str());
        return 0;
    }
    std::sort(times.begin(), times.end());
    const double median = quantile(times, 0.5);
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    Json line = {{"impl", "ddpm"},
                 {"net", net_name},
                 {"params", count_parameters(network)},
                 {"batch", batch},
                 {"mode", "default"},
                 {"dtype", dtype},
                 {"what", what},
                 {"threads", runtime.threads},
                 {"ms_median", round2(median)},
                 {"ms_min", round2(times.front())},
                 {"ms_iqr", round2(quantile(times, 0.75) - quantile(times, 0.25))},
                 {"img_s", round2(1e3 * static_cast<double>(batch) / median)},
                 {"peak_rss_mb", round2(static_cast<double>(usage.ru_maxrss) / 1024)},
                 {"wall_s", round2(milliseconds_since(start) / 1e3)},
                 {"torch", TORCH_VERSION}};
    if (!runtime.device.is_cpu()) {
        const auto memory = c10::getDeviceAllocator(runtime.device.type())->getDeviceStats(runtime.device.index());
        line["peak_gpu_mb"] = round2(static_cast<double>(memory.allocated_bytes[0].peak) / 1048576);
    }
    std::printf("%s\n", line.dump().c_str());
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
}
