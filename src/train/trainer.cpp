#include "ddpm/train/trainer.h"

#include <chrono>
#include <cmath>

#include <spdlog/spdlog.h>

#include "ddpm/checkpoint/run_folder.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/text.h"
#include "ddpm/dataset/loader.h"
#include "ddpm/diffusion/schedule.h"
#include "ddpm/image/codec.h"
#include "ddpm/nn/unet.h"
#include "ddpm/report/loss_curve.h"
#include "ddpm/report/metrics.h"
#include "ddpm/report/progress.h"
#include "ddpm/train/step.h"
#include "train/keeper.h"
#include "train/state.h"

namespace ddpm {

namespace {

double unix_seconds() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

double rounded(double value, double unit) { return std::round(value / unit) * unit; }

bool due(int64_t step, int64_t every, int64_t last) { return step == last || (every > 0 && step % every == 0); }

fs::path samples_file(const TrainJob& job, int64_t step) {
    return job.folder / "samples" / fmt::format("step-{:06d}.png", step);
}

// A picture, or a checkpoint too many, is worth less than the run: what fails is said, and training goes on.
void go_on_without(const char* what, const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        spdlog::warn("{}; going on without {}", error.what(), what);
    }
}

void draw_samples(const TrainJob& job, TrainState& state) {
    if (!job.draw_samples || job.train.sample_images == 0) return;
    go_on_without("this picture", [&] {
        const fs::path file = samples_file(job, state.step);
        make_folders(file.parent_path());
        job.draw_samples(*state.ema, file);
    });
}

}  // namespace

TrainEnd train(const TrainJob& job) {
    TrainState state(job);
    for (const char* below : {"", "samples"}) sweep_partial(job.folder / below);
    if (const int swept = sweep_partial(job.folder / "checkpoints"); swept > 0)
        spdlog::info("removed {} checkpoint{} that a kill had left half-written", swept, swept == 1 ? "" : "s");
    const auto newest = job.resume ? newest_checkpoint(job.folder) : std::nullopt;
    if (newest) {
        state.restore(newest->path);
        spdlog::info("going on from {}", newest->path.string());
    } else if (job.initial) {
        state.save(job);
    }
    make_folders(job.folder / "checkpoints");  // an obstacle there is met now, not after hours
    write_file(job.folder / "config.json", dump_json(job.config));
    MetricsWriter metrics(job.folder / "metrics.jsonl",
                          job.resume ? std::optional<int64_t>(state.step) : std::nullopt);
    spdlog::info("{} parameters, {} images, {} steps of {}", with_commas(count_parameters(*state.network)),
                 with_commas(job.dataset->size()), with_commas(job.train.steps),
                 job.train.batch_size * job.train.gradient_accumulation_steps);

    const NoiseSchedule schedule = make_schedule(job.diffusion);
    TrainingStep training(*state.network, schedule, parse_prediction_type(job.diffusion.prediction_type), job.train,
                          job.seed, job.runtime);
    BatchLoader loader(*job.dataset, job.train.batch_size, job.seed, job.loader_threads);
    const auto prune = [&] {
        go_on_without("removing old checkpoints", [&] { prune_checkpoints(job.folder, job.train.keep_last, job.train.keep_every); });
    };
    const auto save = [&] {
        metrics.sync();  // a checkpoint never knows of a step that its metrics have lost
        state.save(job);
        prune();
    };
    CheckpointKeeper keeper(job.folder);
    if (newest) {  // a kill just after that checkpoint: what follows it is still to be done
        prune();
        if (due(state.step, job.train.sample_every, job.train.steps) && !fs::exists(samples_file(job, state.step)))
            draw_samples(job, state);
    }
    Progress progress("training", job.train.steps, "steps", state.step);
    const auto images_per_step = static_cast<double>(job.train.batch_size * job.train.gradient_accumulation_steps);
    double smoothed = 0, weight = 0;  // an exponential mean over about log_every steps, without a bias to zero
    const double decay = 1.0 - 1.0 / static_cast<double>(job.train.log_every);
    while (state.step < job.train.steps) {
        const double began = steady_seconds();
        const StepResult result = state.take_step(job.train, [&](int64_t micro) {
            const int64_t number = state.step * job.train.gradient_accumulation_steps + micro;
            return training.accumulate(loader.load(number), state.step, micro);
        });
        const double images_per_second = images_per_step / (steady_seconds() - began);
        metrics.append({{"step", state.step},
                        {"loss", result.loss},
                        {"grad_norm", result.grad_norm},
                        {"lr", result.learning_rate},
                        {"images_per_second", rounded(images_per_second, 0.01)},
                        {"time", rounded(unix_seconds(), 0.001)}});
        smoothed = decay * smoothed + (1 - decay) * result.loss;
        weight = decay * weight + (1 - decay);
        progress.update(state.step, fmt::format("loss {:.4f}, gradient {:.3f}, {:.0f} images/s", smoothed / weight,
                                                result.grad_norm, images_per_second));
        const auto stopped = [&] { return job.stop_requested && job.stop_requested(); };
        const bool stopping = stopped();
        const bool saved = keeper.after_step(state.step, stopping || due(state.step, job.train.checkpoint_every, job.train.steps),
                                             stopping || state.step == job.train.steps, save);
        if (!stopped() && due(state.step, job.train.sample_every, job.train.steps)) draw_samples(job, state);
        if (stopped() && state.step < job.train.steps) {
            if (!saved) keeper.after_step(state.step, true, true, save);
            progress.finish(fmt::format("step {}: checkpoint written", state.step));
            return TrainEnd::stopped;
        }
    }
    if (weight > 0)  // not when only what follows was missing
        progress.finish(fmt::format("step {} of {}, loss {:.4f}, {}", state.step, job.train.steps, smoothed / weight,
                                format_duration(progress.seconds())));
    go_on_without("this picture", [&] { write_png(job.folder / "loss.png", draw_loss_curve(read_losses(job.folder / "metrics.jsonl"))); });
    return TrainEnd::finished;
}

}  // namespace ddpm
