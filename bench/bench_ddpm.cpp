// Times training steps and forward passes of the networks that the published comparisons use. Flags and the JSON line
// are those of bench/peers/bench_diffusers.py, so that two programs can be timed side by side.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <memory>

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
#include "ddpm/eval/features.h"
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

using namespace ddpm;

struct Net {
    const char* name;
    std::vector<int64_t> block_out_channels;
};

const Net kNets[] = {{"s32", {32, 64, 64}}, {"s64", {64, 128, 128}}, {"cifar10", {128, 256, 256, 256}}};
constexpr int64_t kSide = 32, kChannels = 3;

struct Flags {
    std::string net = "s64", sampler = "ddim", dtype = "fp32", what = "train", kernels = "fast", images, capability = "avx512",
                device = "cpu", features = kDefaultFeatures;
    int64_t batch = 16, size = 64;
    std::vector<double> ema_widths;
    bool checkpointing = false, no_clip = false, profile = false;
    int threads = 0, warmup = 5, steps = 20, sampling_steps = 50;

    void add_to(CLI::App& app) {
        app.add_option("--net", net)->check(CLI::IsMember({"s32", "s64", "cifar10"}));
        app.add_option("--batch", batch)->check(CLI::PositiveNumber);
        app.add_option("--dtype", dtype)->check(CLI::IsMember({"fp32", "bf16"}));
        app.add_option("--what", what)->check(CLI::IsMember({"train", "forward", "sample", "data", "features"}));
        app.add_option("--features", features, "for features: their name, as `ddpm eval quality` takes it");
        app.add_option("--images", images, "for data: a folder of pictures, read and cropped to --size");
        app.add_option("--size", size, "for data: of the crop, for features: of the pictures, in pixels")
            ->check(CLI::PositiveNumber);
        app.add_option("--threads", threads);
        app.add_option("--device", device, "cpu, cuda or cuda:N");
        app.add_option("--cpu-capability", capability, "avx512 or avx2: the best instructions that the fast kernels use");
        app.add_option("--kernels", kernels)->check(CLI::IsMember(kernel_names()));
        app.add_option("--sampling-steps", sampling_steps, "for sample: steps of one batch")->check(CLI::PositiveNumber);
        app.add_option("--sampler", sampler, "for sample: as `ddpm sample` takes it");
        app.add_flag("--no-clip", no_clip, "for sample");
        app.add_flag("--gradient-checkpointing", checkpointing);
        app.add_option("--ema-widths", ema_widths, "for train: further averages, as train.ema_widths")->delimiter(',');
        app.add_flag("--profile", profile, "the time of each operator instead, as a table");
        app.add_option("--warmup", warmup)->check(CLI::NonNegativeNumber);
        app.add_option("--steps", steps)->check(CLI::PositiveNumber);
    }
};

// What every kind of work has.
struct Bench {
    Flags flags;
    Runtime runtime;
    UNetConfig unet;
    const Kernels* kernels;
    std::shared_ptr<UNet2D> network;
    NoiseSchedule schedule;
};

// Step k of the work, which owns what it needs.
using Step = std::function<void(int64_t k)>;

Batch random_batch(int64_t count) {
    const auto n = static_cast<size_t>(count);
    Batch batch{count, kChannels, kSide, kSide, std::vector<float>(n * kChannels * kSide * kSide), std::vector<int64_t>(n, -1)};
    RandomStream stream(0, Purpose::preview);
    for (float& x : batch.x_start) x = static_cast<float>(stream.uniform(-1, 1));
    return batch;
}

Step train_step(const Bench& bench) {
    struct Work {
        TrainOptions options;
        std::shared_ptr<UNet2D> network, ema;
        Batch data;
        std::vector<at::Tensor> averages;
        std::unique_ptr<Optimizer> optimizer;
        std::unique_ptr<TrainingStep> training;
    };
    const auto work = std::make_shared<Work>();
    work->options.precision = bench.flags.dtype;
    work->options.ema_widths = bench.flags.ema_widths;
    work->network = bench.network;
    work->network->train();
    work->network->set_gradient_checkpointing(bench.flags.checkpointing);
    work->ema = std::make_shared<UNet2D>(bench.unet, *bench.kernels);
    move_to(*work->ema, bench.runtime.device);
    work->data = random_batch(bench.flags.batch);
    Optimizer::Named named;
    for (const auto& item : work->network->named_parameters()) named.emplace_back(item.key(), item.value());
    work->averages = work->ema->parameters();
    for (at::Tensor& average : work->averages) average.requires_grad_(false).zero_();
    work->optimizer = std::make_unique<Optimizer>(named, work->averages, work->options, *bench.kernels);
    const Objective objective(bench.schedule, PredictionType::epsilon);
    work->training = std::make_unique<TrainingStep>(*work->network, objective, work->options, 0, bench.runtime);
    return [work](int64_t k) {
        work->optimizer->zero_grad();
        const at::Tensor loss = work->training->accumulate(work->data, k, 0);
        work->optimizer->clip_grad_norm(1.0);
        loss.item<double>();
        work->optimizer->step(2e-4, 0.9999);
    };
}

Step load_step(const Bench& bench) {
    DatasetOptions pictures;
    pictures.type = "image_folder";
    pictures.path = bench.flags.images;
    pictures.height = pictures.width = bench.flags.size;
    pictures.cache_mb = 0;
    const std::shared_ptr<Dataset> dataset = open_dataset(pictures, 0, bench.runtime.threads);
    const auto loader = std::make_shared<BatchLoader>(*dataset, bench.flags.batch, 0, bench.runtime.threads);
    return [dataset, loader](int64_t k) { loader->load(k); };
}

// Takes raw features of random pictures.
Step features_step(const Bench& bench) {
    const int64_t side = bench.flags.size;
    const std::shared_ptr<Features> features = make_features(bench.flags.features, {kChannels, side, side}, bench.runtime.device);
    const at::Tensor pictures = torch::randint(0, 256, {bench.flags.batch, kChannels, side, side}, torch::kByte);
    return [features, pictures](int64_t) { features->raw(pictures); };
}

Step sample_step(const Bench& bench) {
    bench.network->eval();
    SampleOptions asked;
    asked.sampler = bench.flags.sampler;
    if (bench.flags.no_clip) asked.clip = false;
    asked.steps = bench.flags.sampling_steps;
    const Model untrained{
        .source = "untrained", .network = bench.network, .schedule = bench.schedule, .height = kSide, .width = kSide};
    const auto session = std::make_shared<Session>(untrained, SessionOptions{.sample = asked, .precision = bench.flags.dtype});
    return [session, batch = bench.flags.batch](int64_t) { session->sample(0, batch); };
}

Step forward_step(const Bench& bench) {
    struct Work {
        at::Tensor x, t, answer;
        std::unique_ptr<WorkingCopy> copy;
        std::unique_ptr<Recording> recording;
    };
    const auto work = std::make_shared<Work>();
    const c10::Device device = bench.runtime.device;
    bench.network->eval();
    work->x = torch::tensor(random_batch(bench.flags.batch).x_start).view({-1, kChannels, kSide, kSide}).to(device);
    work->t = torch::full({bench.flags.batch}, 500, work->x.options().dtype(torch::kLong));
    if (records_on(device) && bench.flags.kernels == "fast") {
        work->copy = std::make_unique<WorkingCopy>(*bench.network, bench.flags.dtype == "bf16" ? at::kBFloat16 : at::kFloat);
        work->recording =
            std::make_unique<Recording>(device, [work = work.get()] { work->answer = work->copy->forward(work->x, work->t, {}); });
    }
    return [work, device, network = bench.network, dtype = bench.flags.dtype](int64_t) {
        const c10::InferenceMode inference;
        if (work->recording) {
            work->recording->run();
        } else {
            const PrecisionGuard precision(device, dtype);
            work->answer = network->forward(work->x, work->t, {});
        }
        if (!device.is_cpu()) work->answer.select(0, 0).select(0, 0).select(0, 0)[0].item<float>();  // waits for it
    };
}

double milliseconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

// Interpolates linearly between order statistics.
double quantile(const std::vector<double>& sorted, double q) {
    const double position = q * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<size_t>(position);
    const size_t above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (position - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

double round2(double value) { return std::round(value * 100) / 100; }

// Milliseconds of each step after the warm-up, ascending. A profile covers the same steps.
std::vector<double> time_steps(const Bench& bench, const Step& step) {
    std::vector<double> times;
    for (int k = 0; k < bench.flags.warmup + bench.flags.steps; ++k) {
        if (bench.flags.profile && k == bench.flags.warmup) start_profile(!bench.runtime.device.is_cpu());
        const auto begin = std::chrono::steady_clock::now();
        step(k);
        if (k >= bench.flags.warmup) times.push_back(milliseconds_since(begin));
    }
    std::sort(times.begin(), times.end());
    return times;
}

Json result_line(const Bench& bench, const std::vector<double>& times, double wall_ms) {
    const double median = quantile(times, 0.5);
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    Json line = {{"impl", "ddpm"},
                 {"net", bench.flags.net},
                 {"params", count_parameters(*bench.network)},
                 {"batch", bench.flags.batch},
                 {"mode", "default"},
                 {"dtype", bench.flags.dtype},
                 {"what", bench.flags.what},
                 {"threads", bench.runtime.threads},
                 {"ms_median", round2(median)},
                 {"ms_min", round2(times.front())},
                 {"ms_iqr", round2(quantile(times, 0.75) - quantile(times, 0.25))},
                 {"img_s", round2(1e3 * static_cast<double>(bench.flags.batch) / median)},
                 {"peak_rss_mb", round2(static_cast<double>(usage.ru_maxrss) / 1024)},
                 {"wall_s", round2(wall_ms / 1e3)},
                 {"torch", TORCH_VERSION}};
    if (const c10::Device device = bench.runtime.device; !device.is_cpu()) {
        const auto memory = c10::getDeviceAllocator(device.type())->getDeviceStats(device.index());
        line["peak_gpu_mb"] = round2(static_cast<double>(memory.allocated_bytes[0].peak) / 1048576);
    }
    return line;
}

Bench make_bench(const Flags& flags) {
    const Runtime runtime = start_runtime(flags.device, flags.threads, false, "--device");
    ModelOptions model;
    for (const Net& net : kNets)
        if (flags.net == net.name) model.block_out_channels = net.block_out_channels;
    cap_instruction_set(flags.capability, "--cpu-capability");
    const Kernels& kernels = kernels_named(flags.kernels, "--kernels");
    DiffusionOptions diffusion;
    diffusion.schedule = "linear";
    const UNetConfig unet = resolve_unet(model, kSide, kSide, kChannels);
    Bench bench{flags, runtime, unet, &kernels, std::make_shared<UNet2D>(unet, kernels), make_schedule(diffusion)};
    initialize_weights(*bench.network, 0);
    move_to(*bench.network, runtime.device);
    return bench;
}

}  // namespace

int main(int argc, char** argv) try {
    CLI::App app("Times this program's training step or forward pass.");
    Flags flags;
    flags.add_to(app);
    CLI11_PARSE(app, argc, argv);
    const auto start = std::chrono::steady_clock::now();
    const Bench bench = make_bench(flags);
    const Step step = flags.what == "train"      ? train_step(bench)
                      : flags.what == "data"     ? load_step(bench)
                      : flags.what == "features" ? features_step(bench)
                      : flags.what == "sample"   ? sample_step(bench)
                                                 : forward_step(bench);
    const std::vector<double> times = time_steps(bench, step);
    if (flags.profile)
        std::printf("%s", stop_profile(!bench.runtime.device.is_cpu(), flags.steps).c_str());
    else
        std::printf("%s\n", result_line(bench, times, milliseconds_since(start)).dump().c_str());
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
}
