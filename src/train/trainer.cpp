#include "ddpm/train/trainer.h"

#include <atomic>
#include <bit>
#include <cmath>
#include <functional>
#include <optional>

#include <spdlog/spdlog.h>

#include "ddpm/core/error.h"
#include "ddpm/core/clock.h"
#include "ddpm/core/files.h"
#include "ddpm/core/locks.h"
#include "ddpm/core/staging.h"
#include "ddpm/core/random.h"
#include "ddpm/core/text.h"
#include "ddpm/dataset/loader.h"
#include "ddpm/diffusion/schedule.h"
#include "ddpm/image/codec.h"
#include "ddpm/nn/unet.h"
#include "ddpm/report/heartbeat.h"
#include "ddpm/report/loss_curve.h"
#include "ddpm/report/metrics.h"
#include "ddpm/report/progress.h"
#include "ddpm/run/run_folder.h"
#include "ddpm/train/step.h"
#include "train/diagnosis.h"
#include "train/keeper.h"
#include "train/state.h"
#include "train/validation.h"

namespace ddpm {

namespace {


bool due(int64_t step, int64_t every) { return every > 0 && step % every == 0; }

// A picture, or a checkpoint too many, is worth less than the run: what fails is said, and training goes on.
void go_on_without(const char* what, const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        spdlog::warn("{}; going on without {}", error.what(), what);
    }
}

void remove_picture(const fs::path& file) {
    std::error_code ignored;
    fs::remove(file, ignored);
}

// An exponential mean over about `reach` values, without a bias to zero.
class RunningMean {
public:
    explicit RunningMean(int64_t reach) : decay_(1.0 - 1.0 / static_cast<double>(reach)) {}
    void add(double value) {
        sum_ = decay_ * sum_ + (1 - decay_) * value;
        weight_ = decay_ * weight_ + (1 - decay_);
    }
    bool empty() const { return weight_ == 0; }
    double mean() const { return sum_ / weight_; }

private:
    double decay_, sum_ = 0, weight_ = 0;
};

// One run from where its folder stands to its end.
class Run {
public:
    explicit Run(const TrainJob& job);
    TrainEnd go();

private:
    void begin_attempt();
    StepResult take_step();
    void roll_back();
    [[noreturn]] void give_up();
    bool validate();
    bool save(bool wanted, bool best, bool last);
    void write_checkpoint();
    void check_folder();
    void prune();
    void draw_samples();
    fs::path samples_file(int64_t step) const;
    bool last_step() const { return state_.step == job_.train.steps; }
    bool samples_due() const { return last_step() || due(state_.step, job_.train.sample_every); }
    bool validation_due(int64_t step) const {
        return validation_ && (step == job_.train.steps || due(step, job_.train.validate_every));
    }
    bool stopped();

    const TrainJob& job_;
    const FolderWatch folder_;
    TrainState state_;
    const NoiseSchedule schedule_;
    std::optional<Validation> validation_;
    // Of the attempt.
    std::optional<MetricsWriter> metrics_;
    std::optional<TrainingStep> training_;
    std::optional<BatchLoader> loader_;
    std::atomic<int64_t> beat_step_{0};
    std::optional<Heartbeat> heartbeat_;  // writes to the metrics, so it is made last

    // What has to fit in before the deadline.
    double save_seconds_ = 0, step_seconds_ = 0, validate_seconds_ = 0;
    bool out_of_time_ = false;

    CheckpointKeeper keeper_;
    std::optional<Progress> progress_;
    RunningMean loss_;
    bool in_spike_ = false;
    uint64_t spikes_ = 0;  // since the start of the process; the log tells of the 1st, 2nd, 4th, 8th, … (metrics mark each)
};

Run::Run(const TrainJob& job)
    : job_(job), folder_(job.folder), state_(job), schedule_(make_schedule(job.diffusion)), keeper_(job.folder), loss_(job.train.log_every) {
    const auto sweep = [&](const std::string& below) {
        return sweep_partial(job.folder / below, [&](const std::string& name) { return is_name_of_run(below, name); });
    };
    sweep("");
    sweep("samples");
    if (const int swept = sweep("checkpoints"); swept > 0)
        spdlog::info("removed {} checkpoint{} that a kill had left half-written", swept, swept == 1 ? "" : "s");
    const auto newest = checkpoint_to_resume(job);
    if (newest) {
        state_.restore(*newest);
        spdlog::info("going on from {}", newest->string());
        const Json before = training_counters(*newest).value("images", Json());
        if (before.is_number_integer() && before != job.dataset->size())
            spdlog::warn("the data set has {} to train on, and had {} when {} was written: the run goes on with other batches",
                         plural(job.dataset->size(), "image"), before.get<int64_t>(), newest->filename().string());
    } else if (job.initial) {
        state_.save(job);
    }
    make_folders(job.folder / "checkpoints");  // an obstacle there is met now, not after hours
    check_writable(job.folder / "checkpoints");
    write_file(job.folder / "config.json", dump_json(job.config));
    if (job.held_out) validation_.emplace(job, schedule_);
    begin_attempt();
    if (newest) prune();  // a kill may have come between a checkpoint and that
    constexpr double bytes_per_second = 50e6;  // of a slow disk, until a checkpoint shows how long it takes
    save_seconds_ = 0.5 + 16.0 * static_cast<double>(count_parameters(*state_.network)) / bytes_per_second;
    spdlog::info("{} parameters, {} images, {} steps of {}", with_commas(count_parameters(*state_.network)),
                 with_commas(job.dataset->size()), with_commas(job.train.steps),
                 job.train.batch_size * job.train.gradient_accumulation_steps);
}

// What follows from the number of the attempt. Lines of the metrics behind the state's step are cut off.
void Run::begin_attempt() {
    const uint64_t attempt = state_.guard.attempt();
    heartbeat_.reset();
    metrics_.emplace(job_.folder / "metrics.jsonl",
                     job_.resume || attempt > 0 ? std::optional<int64_t>(state_.step) : std::nullopt);
    for (size_t i = 0; i < attempt; ++i)  // belongs to the step that comes next, and is cut off with it
        if (const Rollback& rollback = state_.guard.rollbacks[i]; rollback.to == state_.step)
            metrics_->append({{"step", rollback.to + 1},
                              {"rollback",
                               {{"from", rollback.from},
                                {"attempt", i + 1},
                                {"learning_rate_factor", rollback.learning_rate_factor}}}});
    if (validation_) mark_best_checkpoint(job_.folder, state_.best ? std::optional(state_.best->step) : std::nullopt);
    training_.emplace(*state_.network, schedule_, parse_prediction_type(job_.diffusion.prediction_type), job_.train,
                      attempt_seed(job_.seed, attempt), job_.runtime, state_.streams);
    loader_.reset();
    loader_.emplace(*job_.dataset, job_.train.batch_size, job_.seed, job_.loader_threads, attempt);
    beat_step_ = state_.step;
    heartbeat_.emplace(job_.train.heartbeat_seconds, [this] {
        metrics_->append({{"step", beat_step_.load()}, {"heartbeat", to_decimals(unix_seconds(), 3)}});
    });
}

TrainEnd Run::go() {
    // A kill just after the last checkpoint: what follows it is still to be done.
    if (state_.step > 0 && samples_due() && !fs::exists(samples_file(state_.step))) draw_samples();
    progress_.emplace("training", job_.train.steps, "steps", state_.step);
    while (!last_step()) {
        check_folder();
        const StepResult result = take_step();
        switch (state_.guard.judge(result.finite(), job_.train)) {
            case StepGuard::Verdict::go_on: break;
            case StepGuard::Verdict::skip:
                if (state_.guard.skip_is_told())
                    spdlog::warn("step {}: loss {}, gradient norm {}: skipped ({} in a row, {} in all; told of again at {})",
                                 state_.step, result.loss, result.grad_norm, state_.guard.in_a_row, state_.guard.skipped,
                                 2 * state_.guard.skipped);
                break;
            case StepGuard::Verdict::roll_back: roll_back(); continue;
            case StepGuard::Verdict::give_up: give_up();
        }
        const std::optional<Best> best_before = state_.best;
        const bool best = validation_due(state_.step) && validate();
        const bool asked = job_.checkpoint_requested && job_.checkpoint_requested();
        const bool ends = stopped() || last_step();
        if (last_step()) remove_picture(job_.folder / "loss.png");  // of an end that has become a middle
        const bool saved = save(best || asked || ends || due(state_.step, job_.train.checkpoint_every), best, ends);
        if (best && !saved) state_.best = best_before;  // these weights will not come again
        if (asked && saved) spdlog::info("step {}: checkpoint written, as asked for", state_.step);
        if (!stopped() && samples_due()) draw_samples();
        if (stopped() && !last_step()) {
            if (!saved) save(true, false, true);
            progress_->finish(fmt::format("step {}: checkpoint written", state_.step));
            return TrainEnd::stopped;
        }
    }
    if (!loss_.empty())  // not when only what follows was missing
        progress_->finish(fmt::format("step {} of {}, loss {:.4f}, {}", state_.step, job_.train.steps, loss_.mean(),
                                      format_duration(progress_->seconds())));
    go_on_without("this picture", [&] {
        write_png(job_.folder / "loss.png", draw_loss_curve(read_losses(job_.folder / "metrics.jsonl")));
    });
    return TrainEnd::finished;
}

// Once the time is up it stays so. A checkpoint may take half as long again as the last one did.
bool Run::stopped() {
    const double ahead = step_seconds_ + (validation_due(state_.step + 1) ? validate_seconds_ : 0) + 1.5 * save_seconds_;
    if (job_.clock() + ahead > job_.deadline) out_of_time_ = true;
    return out_of_time_ || (job_.stop_requested && job_.stop_requested());
}

StepResult Run::take_step() {
    const double began = job_.clock();
    const int64_t micro_batches = job_.train.gradient_accumulation_steps;
    const StepResult result = state_.take_step(job_.train, [&](int64_t micro) {
        return training_->accumulate(loader_->load(state_.step * micro_batches + micro), state_.step, micro);
    });
    step_seconds_ = job_.clock() - began;
    const double images_per_second = static_cast<double>(job_.train.batch_size * micro_batches) / step_seconds_;
    beat_step_ = state_.step;
    heartbeat_->alive();
    Json line = {{"step", state_.step},
                 {"loss", result.loss},
                 {"grad_norm", result.grad_norm},
                 {"lr", result.learning_rate},
                 {"images_per_second", to_decimals(images_per_second, 2)},
                 {"time", to_decimals(unix_seconds(), 3)}};
    if (result.finite())
        loss_.add(result.loss);
    else
        line["skipped"] = true;
    const double score = result.finite() ? state_.recent_losses.add(result.loss) : 0;
    const bool spike = job_.train.spike_threshold > 0 && score > job_.train.spike_threshold;
    if (spike) line["spike"] = to_decimals(score, 2);
    if (spike && !in_spike_ && std::has_single_bit(++spikes_))
        spdlog::warn("step {}: loss {:.4g} stands out from the last {} steps (robust z-score {:.1f}; {} so far, told of again "
                     "at {})", state_.step, result.loss, LossWindow::kWindow, score, spikes_, 2 * spikes_);
    in_spike_ = spike;
    metrics_->append(line);
    progress_->update(state_.step, fmt::format("loss {:.4f}, gradient {:.3f}, {:.0f} images/s", loss_.mean(),
                                               result.grad_norm, images_per_second));
    return result;
}

void Run::roll_back() {
    const int64_t from = state_.step;
    // Pictures of steps that are taken back, before a checkpoint says so: else a kill after it would keep them.
    for (int64_t step = state_.last_good + 1; step <= from; ++step) remove_picture(samples_file(step));
    state_.roll_back(job_);
    spdlog::warn("step {}: no finite loss and gradient {} times in a row: back to step {}, with other batches and noise and "
                 "the learning rate times {:g} ({} of {} rollbacks)",
                 from, job_.train.nonfinite_patience, state_.step, state_.guard.learning_rate_factor(),
                 state_.guard.attempt(), job_.train.max_rollbacks);
    // Lasting at once: whatever stops the run now, it goes on with this attempt.
    keeper_.after_step(state_.step, true, false, [this] { write_checkpoint(); });
    remove_checkpoints_after(job_.folder, state_.step);
    begin_attempt();
}

void Run::give_up() {
    const int64_t step = state_.step - 1, micro_batches = job_.train.gradient_accumulation_steps;
    const Diagnosis diagnosis =
        diagnose_step(*state_.network, schedule_, job_, attempt_seed(job_.seed, state_.guard.attempt()), state_.streams, step,
                      [&](int64_t micro) { return loader_->load(step * micro_batches + micro); });
    metrics_->append({{"step", state_.step},
                      {"gave_up", {{"t", {diagnosis.first_t, diagnosis.last_t}}, {"place", diagnosis.place}}}});
    runtime_failure(fmt::format("step {}: no finite loss and gradient {} times in a row, after {} rollback{}; {}", state_.step,
                                state_.guard.in_a_row, state_.guard.attempt(), state_.guard.attempt() == 1 ? "" : "s",
                                diagnosis.text()),
                    "a lower train.learning_rate or a longer train.warmup_steps helps; the last good checkpoint is intact, and "
                    "--resume with a larger train.max_rollbacks tries again from there");
}

// Whether the EMA weights have never been better. Before the checkpoint of the step, whose counters hold what it finds.
// Not after a skipped step: a rollback would take that checkpoint back, and with it the only one of the best weights.
bool Run::validate() {
    const double began = job_.clock();
    const Validation::Losses raw = validation_->measure(*state_.network), ema = validation_->measure(*state_.ema);
    validate_seconds_ = job_.clock() - began;
    const bool best = state_.guard.in_a_row == 0 && std::isfinite(ema.mean) && (!state_.best || ema.mean < state_.best->loss);
    if (best) state_.best = {state_.step, ema.mean};
    metrics_->append({{"step", state_.step}, {"validation", {{"raw", raw.json()}, {"ema", ema.json()}}}});
    spdlog::info("step {}: loss on {} held-out images {:.4f}, of the EMA weights {:.4f}{}", state_.step, job_.held_out->size(),
                 raw.mean, ema.mean, best ? ", the best so far" : fmt::format(" (best: {:.4f})", state_.best ? state_.best->loss : NAN));
    return best;
}

// Whether the step's checkpoint is on the disk. `last`: no step follows.
bool Run::save(bool wanted, bool best, bool last) {
    // A rollback goes back only to what follows from the configuration: not to where somebody happened to stop the run.
    const int64_t before = state_.last_good;
    const bool planned = best || due(state_.step, job_.train.checkpoint_every);
    if (planned && state_.guard.in_a_row == 0) state_.last_good = state_.step;
    const double began = job_.clock();
    const bool written = keeper_.after_step(state_.step, wanted, last, [this] { write_checkpoint(); });
    if (written) save_seconds_ = job_.clock() - began;
    if (!written) state_.last_good = before;
    if (written && best) mark_best_checkpoint(job_.folder, state_.step);
    return written;
}

void Run::write_checkpoint() {
    metrics_->sync();  // a checkpoint never knows of a step that its metrics have lost
    state_.save(job_);
    prune();
}

// A folder that somebody moves takes its lock along, and another run may begin in its place.
void Run::check_folder() {
    if (folder_.is_in_place()) return;
    const std::string what = fmt::format("{}: was moved or removed, so training stops at step {}", job_.folder.string(), state_.step);
    const auto place = folder_.place();
    if (!place) runtime_failure(what);
    metrics_->sync();
    TrainJob moved = job_;
    moved.folder = *place;
    state_.save(moved);
    runtime_failure(fmt::format("{}; its checkpoint is in {}", what, place->string()),
                    fmt::format("--resume --out {} goes on", shell_word(place->string())));
}

void Run::prune() {
    go_on_without("removing old checkpoints", [&] {
        prune_checkpoints(job_.folder, job_.train.keep_last, job_.train.keep_every, state_.kept_checkpoints());
    });
}

fs::path Run::samples_file(int64_t step) const { return job_.folder / "samples" / fmt::format("step-{:06d}.png", step); }

void Run::draw_samples() {
    if (!job_.draw_samples || job_.train.sample_images == 0) return;
    go_on_without("this picture", [&] {
        const fs::path file = samples_file(state_.step);
        make_folders(file.parent_path());
        job_.draw_samples(*state_.ema, file, [this] { return stopped(); });
    });
}

}  // namespace

TrainEnd train(const TrainJob& job) { return Run(job).go(); }

}  // namespace ddpm
