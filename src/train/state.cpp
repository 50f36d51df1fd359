#include "train/state.h"

#include <cmath>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/checkpoint/load.h"
#include "ddpm/core/error.h"
#include "ddpm/nn/init.h"
#include "ddpm/nn/unet.h"
#include "ddpm/run/power_ema.h"
#include "ddpm/run/run_folder.h"
#include "ddpm/run/snapshots.h"
#include "ddpm/train/ema.h"
#include "ddpm/train/learning_rate.h"
#include "ddpm/train/run_config.h"

namespace ddpm::train {

void copy_weights(const UNet2D& from, UNet2D& to) {
    const at::NoGradGuard no_grad;
    const NamedTensors source = named_tensors(from), target = named_tensors(to);
    for (size_t i = 0; i < source.size(); ++i) at::Tensor(target[i].second).copy_(source[i].second);
}

bool StepResult::finite() const { return std::isfinite(loss) && std::isfinite(grad_norm); }

std::optional<std::filesystem::path> checkpoint_to_resume(const TrainJob& job) {
    if (!job.resume || job.checkpoint) return job.checkpoint;
    const auto newest = newest_checkpoint(job.folder);
    return newest ? std::optional(newest->path) : std::nullopt;
}

TrainState::TrainState(const TrainJob& job)
    : network(std::make_shared<UNet2D>(job.unet, *job.kernels)),
      ema(std::make_shared<UNet2D>(job.unet, *job.kernels)),
      initial_source(job.initial_source) {
    if (job.initial)
        copy_weights(*job.initial, *network);
    else
        initialize_weights(*network, job.seed);
    move_to(*network, job.runtime.device);
    move_to(*ema, job.runtime.device);
    network->train();
    network->set_gradient_checkpointing(job.train.gradient_checkpointing);
    ema->eval();
    std::vector<at::Tensor> averages = ema->parameters();  // in the order of the network's parameters
    for (at::Tensor& average : averages) average.requires_grad_(false);
    copy_weights(*network, *ema);
    Optimizer::Named named;
    for (const auto& item : network->named_parameters()) named.emplace_back(item.key(), item.value());
    optimizer = std::make_unique<Optimizer>(named, std::move(averages), job.train, *job.kernels);
}

StepResult TrainState::take_step(const TrainOptions& options, const std::function<at::Tensor(int64_t)>& accumulate, World& world) {
    const int64_t micro_batches = options.gradient_accumulation_steps, share = micro_batches / world.size();
    StepResult result;
    optimizer->zero_grad();
    // On a GPU, reading a loss waits for it. So a loss is read only after the next micro-batch was sent, and the last one only
    // after the norm of the gradient.
    std::optional<at::Tensor> last;
    for (int64_t micro = world.rank() * share; micro < (world.rank() + 1) * share; ++micro) {
        if (last) result.loss += last->item<double>() / static_cast<double>(micro_batches);
        last = accumulate(micro);
    }
    world.all_reduce(optimizer->gradients());
    result.grad_norm = optimizer->clip_grad_norm(options.clip_grad_norm);
    result.loss += last->item<double>() / static_cast<double>(micro_batches);
    at::Tensor loss = at::scalar_tensor(result.loss, at::kDouble);
    world.all_reduce({loss});
    result.loss = loss.item<double>();
    result.learning_rate = learning_rate_at(step, options) * guard.learning_rate_factor();
    if (result.finite())
        optimizer->step(result.learning_rate, ema_decay_at(optimizer->steps_done(), options.ema_decay, options.ema_warmup));
    ++step;
    return result;
}

namespace {

BestQuality read_best_quality(const Json& json, const std::string& checkpoint) {
    const std::string path = checkpoint + ": best_quality";
    for (const char* key : {"step", "value", "metric", "protocol"})
        if (!json.is_object() || !json.contains(key)) wrong_value(json, path, "a step, a value, a metric and a protocol");
    return {read_integer(json["step"], path + ".step", Range::at_least(0)), read_number(json["value"], path + ".value", {}),
            read_text(json["metric"], path + ".metric"), read_text(json["protocol"], path + ".protocol")};
}

}  // namespace

void TrainState::restore(const std::filesystem::path& checkpoint) {
    load_module(training_weights(checkpoint), *network);
    load_tensors(training_optimizer(checkpoint), optimizer->state());
    load_module(*open_pipeline(checkpoint).weights, *ema);
    const Json counters = training_counters(checkpoint);
    if (!counters.is_object() || !counters.contains("step"))
        user_error(checkpoint.string() + "/training: its counters hold no step; the checkpoint is damaged");
    const auto counter = [&](const char* name, int64_t otherwise) {
        return counters.contains(name) ? read_integer(counters[name], checkpoint.string() + ": " + name, Range::at_least(0))
                                       : otherwise;
    };
    step = counter("step", 0);
    optimizer->set_steps_done(counter("updates", step));
    streams = Streams::by_micro_batch;
    if (counters.contains("streams"))
        streams = static_cast<Streams>(read_integer(counters["streams"], checkpoint.string() + ": streams", Range::between(1, 2)));
    last_good = counter("last_good", step);
    guard = counters.contains("guard") ? StepGuard::read(counters["guard"], checkpoint.string() + ": guard") : StepGuard{};
    recent_losses = counters.contains("recent_losses")
                        ? LossWindow::read(counters["recent_losses"], checkpoint.string() + ": recent_losses")
                        : LossWindow{};
    best.reset();
    if (counters.contains("best")) {
        const std::string path = checkpoint.string() + ": best";
        const Json& json = counters["best"];
        if (!json.is_object() || !json.contains("step") || !json.contains("loss")) wrong_value(json, path, "a step and a loss");
        best = {read_integer(json["step"], path + ".step", Range::at_least(0)), read_number(json["loss"], path + ".loss", {})};
    }
    best_quality.reset();
    if (counters.contains("best_quality")) best_quality = read_best_quality(counters["best_quality"], checkpoint.string());
    good_quality.reset();
    if (counters.contains("good_quality")) good_quality = counter("good_quality", 0);
    initial_source.clear();
    if (counters.contains("initial_weights"))
        initial_source = read_text(counters["initial_weights"], checkpoint.string() + ": initial_weights");
}

void TrainState::roll_back(const TrainJob& job) {
    const StepGuard judged = guard;
    const Streams begun_with = streams;
    const int64_t from = step, to = last_good;
    const std::filesystem::path checkpoint = job.folder / "checkpoints" / checkpoint_name(to);
    if (is_complete(checkpoint))
        restore(checkpoint);
    else if (to == 0 && (job.initial || initial_source.empty()))
        *this = TrainState(job);
    else
        runtime_failure(
            fmt::format("{}: missing or incomplete, and needed for going back from step {}", checkpoint.string(), from));
    streams = begun_with;
    guard = judged;
    guard.roll_back(from, to, job.train);
}

void TrainState::save(const TrainJob& job) const {
    CheckpointContents contents;
    contents.unet = job.unet;
    contents.scheduler = to_scheduler(job.diffusion);
    contents.ema_weights = named_tensors(*ema);
    contents.training.weights = named_tensors(*network);
    contents.training.optimizer = optimizer->state();
    contents.training.counters = {
        {"step", step},           {"images", job.dataset->size()}, {"updates", optimizer->steps_done()},
        {"last_good", last_good}, {"guard", guard.write()},        {"recent_losses", recent_losses.write()}};
    if (job.data) contents.training.counters["data"] = write_fingerprint(*job.data);
    if (streams != Streams::by_micro_batch) contents.training.counters["streams"] = static_cast<int64_t>(streams);
    if (best) contents.training.counters["best"] = {{"step", best->step}, {"loss", best->loss}};
    if (best_quality)
        contents.training.counters["best_quality"] = {{"step", best_quality->step},
                                                      {"value", best_quality->value},
                                                      {"metric", best_quality->metric},
                                                      {"protocol", best_quality->protocol}};
    if (good_quality) contents.training.counters["good_quality"] = *good_quality;
    if (!initial_source.empty()) contents.training.counters["initial_weights"] = initial_source;
    contents.training.config = job.config;
    if (job.unet.has_classes()) contents.training.label_names = job.dataset->class_names();
    write_checkpoint(job.folder, step, contents);
}

void TrainState::save_averages(const TrainJob& job) const {
    for (size_t i = 0; i < job.train.ema_widths.size(); ++i) {
        const double width = job.train.ema_widths[i];
        write_snapshot(job.folder, {step, optimizer->steps_done(), width, power_of_width(width)}, optimizer->average(i));
    }
}

}  // namespace ddpm::train
