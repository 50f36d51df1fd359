// The durable part of a training run: its folder, its checkpoints and its end.

#include <optional>

#include <spdlog/spdlog.h>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/locks.h"
#include "ddpm/core/staging.h"
#include "ddpm/core/text.h"
#include "ddpm/nn/unet.h"
#include "ddpm/run/run_folder.h"
#include "ddpm/run/snapshots.h"
#include "ddpm/train/trainer.h"
#include "ddpm/train/world.h"
#include "train/console_observer.h"
#include "train/continue_without.h"
#include "train/end_finder.h"
#include "train/engine.h"
#include "train/keeper.h"
#include "train/metrics_observer.h"
#include "train/picture_observer.h"
#include "train/sample_judge.h"
#include "train/tensorboard_observer.h"

namespace ddpm {

namespace {

bool due(int64_t step, int64_t every) { return every > 0 && step % every == 0; }

// Removes files and folders that a kill left half-written.
void sweep_run(const fs::path& run) {
    const auto sweep = [&](const std::string& below) {
        const auto ours = [&](const std::string& name) { return is_name_of_run(below, name); };
        return below == "checkpoints" ? sweep_partial(run / below, ours, is_part_of_checkpoint) : sweep_partial(run / below, ours);
    };
    sweep("");
    sweep("samples");
    sweep("ema");
    sweep("tensorboard");
    if (const int swept = sweep("checkpoints"); swept > 0)
        spdlog::info("removed {} checkpoint{} that a kill had left half-written", swept, swept == 1 ? "" : "s");
}

// The reasons for a checkpoint after a step.
struct CheckpointWish {
    bool wanted = false;       // there is any reason
    bool best = false;         // the EMA weights are better than ever before
    bool judged_best = false;  // their samples are
    bool last = false;         // no step follows
    bool asked_for = false;    // TrainJob::checkpoint_requested asked for it
};

// One run, from what its folder holds to its end. Only rank 0 has a folder and observers.
class Run {
public:
    Run(const TrainJob& job, World& world);
    TrainEnd go();

private:
    void restore(const fs::path& checkpoint);
    void begin_attempt();
    void roll_back();
    bool finish_step();
    void judge_samples();
    void look_for_end() {
        if (const auto news = end_.news(job_, state_)) observers_.tell(*news);
    }
    // Whether the samples of this step are still to be judged.
    bool is_unjudged() const { return judge_.due(state_.step) && end_.judged() < state_.step; }
    bool is_done() const { return job_.stop_when_done && end_.is_said(); }
    bool save(const CheckpointWish& wish);
    bool keep_checkpoint(const CheckpointWish& wish);
    void write_checkpoint();
    void check_folder();
    void prune();
    void save_averages();
    void draw_samples();
    bool last_step() const { return state_.step == job_.train.steps; }
    bool samples_due() const {
        return job_.draw_samples && job_.train.sample_images > 0 && (last_step() || due(state_.step, job_.train.sample_every));
    }
    bool stopped();

    const TrainJob& job_;
    World& world_;
    const FolderWatch folder_;
    train::MetricsObserver metrics_;
    train::ConsoleObserver console_;
    train::PictureObserver pictures_;
    train::EndFinder end_;
    std::optional<train::TensorboardObserver> tensorboard_;
    train::Observers observers_;
    train::Engine engine_;
    train::TrainState& state_;  // the engine's
    train::CheckpointKeeper keeper_;
    train::SampleJudge judge_;
    double save_seconds_ = 0;  // how long the last checkpoint took
    bool out_of_time_ = false;
};

Run::Run(const TrainJob& job, World& world)
    : job_(job),
      world_(world),
      folder_(job.folder),
      metrics_(job.folder / "metrics.jsonl", job.train.heartbeat_seconds),
      console_(job.train.log_every),
      pictures_(job.folder, job.draw_samples),
      end_(job.folder / "metrics.jsonl"),
      engine_(job, observers_, world),
      state_(engine_.state()),
      keeper_(job.folder),
      judge_(job, observers_) {
    for (Observer* observer : std::initializer_list<Observer*>{&metrics_, &console_, &pictures_, &end_}) observers_.add(*observer);
    if (job.train.tensorboard) observers_.add(tensorboard_.emplace(job.folder));
    for (Observer* observer : job.observers) observers_.add(*observer);
    sweep_run(job.folder);
    const auto newest = train::checkpoint_to_resume(job);
    if (newest)
        restore(*newest);
    else if (job.initial)
        state_.save(job);
    make_folders(job.folder / "checkpoints");  // finds an obstacle now instead of after hours
    check_writable(job.folder / "checkpoints");
    write_file(job.folder / "config.json", dump_json(job.config));
    begin_attempt();
    remove_snapshots_after(job.folder, state_.step);  // these steps come again
    thin_snapshots(job.folder, job.train.steps);
    if (newest) prune();                       // the last session may have been killed before it did
    constexpr double bytes_per_second = 50e6;  // of a slow disk, until a checkpoint shows how long it takes
    const double bytes = 16.0 + 8.0 * static_cast<double>(job.train.ema_widths.size());  // for each parameter
    save_seconds_ = 0.5 + bytes * static_cast<double>(count_parameters(*state_.network)) / bytes_per_second;
}

void Run::restore(const fs::path& checkpoint) {
    state_.restore(checkpoint);
    spdlog::info("going on from {}", checkpoint.string());
    const Json before = training_counters(checkpoint).value("images", Json());
    if (before.is_number_integer() && before != job_.dataset->size())
        spdlog::warn("the data set has {} to train on, and had {} when {} was written: the run goes on with other batches",
                     plural(job_.dataset->size(), "image"), before.get<int64_t>(), checkpoint.filename().string());
}

void Run::begin_attempt() {
    const train::StepGuard& guard = state_.guard;
    observers_.tell(events::AttemptBegun{state_.step, guard.rollbacks, job_.resume || guard.attempt() > 0});
    if (job_.held_out) mark_best_checkpoint(job_.folder, state_.best ? std::optional(state_.best->step) : std::nullopt);
    if (job_.judge || state_.best_quality)
        mark_best_checkpoint(job_.folder, state_.best_quality ? std::optional(state_.best_quality->step) : std::nullopt,
                             kBestByQuality);
    engine_.begin_attempt();
}

TrainEnd Run::go() {
    observers_.tell(events::Begun{state_.step, job_.train.steps, count_parameters(*state_.network), job_.dataset->size(),
                                  job_.train.batch_size * job_.train.gradient_accumulation_steps});
    // If the last session was stopped before it had judged the samples of its last step, that comes first.
    if (state_.step > 0 && is_unjudged()) judge_samples();
    look_for_end();
    if (is_done()) {
        observers_.tell(events::Stopped{state_.step});
        return TrainEnd::done;
    }
    // If the last session was killed just after a checkpoint, the pictures of that step are still missing.
    if (state_.step > 0 && samples_due() && !pictures_.has_samples(state_.step)) draw_samples();
    while (!last_step()) {
        check_folder();
        switch (engine_.step()) {
            case train::StepGuard::Verdict::go_on:
            case train::StepGuard::Verdict::skip:
                break;
            case train::StepGuard::Verdict::roll_back:
                roll_back();
                continue;
            case train::StepGuard::Verdict::give_up:
                engine_.give_up();
        }
        if (finish_step()) {
            observers_.tell(events::Stopped{state_.step});
            return is_done() ? TrainEnd::done : TrainEnd::stopped;
        }
    }
    observers_.tell(events::Finished{state_.step, job_.train.steps});
    return TrainEnd::finished;
}

// Does what follows a step that is not taken back: validation, checkpoint, pictures. Returns whether the run stops here, before
// its last step.
bool Run::finish_step() {
    const std::optional<train::Best> best_before = state_.best;
    const std::optional<train::BestQuality> quality_before = state_.best_quality;
    const bool best = engine_.validation_due(state_.step) && engine_.validate();
    const bool judged_best = judge_.due(state_.step) && !stopped() && judge_.judge(state_, [this] { return stopped(); });
    if (!is_unjudged() || !stopped()) look_for_end();
    const bool asked = job_.checkpoint_requested && job_.checkpoint_requested();
    const bool ends = stopped() || last_step();
    if (last_step()) observers_.tell(events::LastStepDone{state_.step});
    save_averages();
    const bool saved = save({.wanted = best || judged_best || asked || ends || due(state_.step, job_.train.checkpoint_every),
                             .best = best,
                             .judged_best = judged_best,
                             .last = ends,
                             .asked_for = asked});
    if (best && !saved) state_.best = best_before;  // these weights will not come again
    if (judged_best && !saved) state_.best_quality = quality_before;
    if (!stopped() && samples_due()) draw_samples();
    if (!stopped() || last_step()) return false;
    if (!saved) save({.wanted = true, .last = true});
    return true;
}

// Judges the samples of the step from which the run goes on. Its checkpoint is there already.
void Run::judge_samples() {
    const std::optional<train::BestQuality> before = state_.best_quality;
    if (!judge_.judge(state_, [this] { return stopped(); })) return;
    if (!save({.wanted = true, .judged_best = true})) state_.best_quality = before;
}

// Whether the run has to stop. Once the time is up, it stays so. A checkpoint may take half as long again as the last one.
bool Run::stopped() {
    const double ahead = engine_.seconds_of_next_step() + 1.5 * save_seconds_;
    if (job_.clock() + ahead > job_.deadline) out_of_time_ = true;
    return world_.any(out_of_time_ || is_done() || (job_.stop_requested && job_.stop_requested()));
}

void Run::roll_back() {
    const int64_t from = state_.step;
    observers_.tell(events::RollingBack{from, state_.last_good});
    state_.roll_back(job_);
    observers_.tell(events::RolledBack{from, state_.step, job_.train.nonfinite_patience, state_.guard.learning_rate_factor(),
                                       static_cast<int64_t>(state_.guard.attempt()), job_.train.max_rollbacks});
    // The checkpoint is written at once, so that the run goes on with this attempt even if it is killed now.
    keep_checkpoint({.wanted = true});
    remove_checkpoints_after(job_.folder, state_.step);
    remove_snapshots_after(job_.folder, state_.step);
    begin_attempt();
}

// Returns whether the step's checkpoint is on the disk.
bool Run::save(const CheckpointWish& wish) {
    // A rollback goes back only to checkpoints that follow from the configuration, and not to one where somebody stopped the run.
    // So the run computes the same whether or not it was stopped.
    // Nor to one that was written for its samples alone, so that it computes the same whether or not they are judged.
    const int64_t before = state_.last_good;
    const std::optional<int64_t> quality_before = state_.good_quality;
    const bool planned = wish.best || due(state_.step, job_.train.checkpoint_every);
    if (planned && state_.guard.in_a_row == 0) state_.last_good = state_.step;
    if (state_.last_good == state_.step)
        state_.good_quality = state_.best_quality ? std::optional(state_.best_quality->step) : std::nullopt;
    const double began = job_.clock();
    const bool written = keep_checkpoint(wish);
    if (written) save_seconds_ = job_.clock() - began;
    if (!written) {
        state_.last_good = before;
        state_.good_quality = quality_before;
    }
    if (written && wish.best) mark_best_checkpoint(job_.folder, state_.step);
    if (written && wish.judged_best) mark_best_checkpoint(job_.folder, state_.step, kBestByQuality);
    return written;
}

bool Run::keep_checkpoint(const CheckpointWish& wish) {
    const bool written = keeper_.after_step(state_.step, wish.wanted, wish.last, [this] { write_checkpoint(); });
    if (written) observers_.tell(events::CheckpointWritten{state_.step, wish.asked_for});
    return written;
}

void Run::write_checkpoint() {
    observers_.tell(events::CheckpointBegins{state_.step});
    state_.save(job_);
    prune();
}

// Writes the snapshots that are due after this step, before the checkpoint of the step, so that a run that goes on from a
// checkpoint has all snapshots up to it. Without an update there is no average.
void Run::save_averages() {
    if (job_.train.ema_widths.empty() || state_.optimizer->steps_done() == 0) return;
    if (!snapshot_due(state_.step, job_.train.steps)) return;
    train::continue_without("this snapshot of the averages", [&] {
        state_.save_averages(job_);
        thin_snapshots(job_.folder, job_.train.steps);
    });
}

// Ends the run if its folder was moved or removed. A moved folder takes its lock along, so another run may begin in its place.
void Run::check_folder() {
    if (folder_.is_in_place()) return;
    const std::string what =
        fmt::format("{}: was moved or removed, so training stops at step {}", job_.folder.string(), state_.step);
    const auto place = folder_.place();
    if (!place) runtime_failure(what);
    observers_.tell(events::CheckpointBegins{state_.step});
    TrainJob moved = job_;
    moved.folder = *place;
    state_.save(moved);
    runtime_failure(fmt::format("{}; its checkpoint is in {}", what, place->string()),
                    fmt::format("--resume --out {} goes on", shell_word(place->string())));
}

void Run::prune() {
    train::continue_without("removing old checkpoints", [&] {
        prune_checkpoints(job_.folder, job_.train.keep_last, job_.train.keep_every, state_.kept_checkpoints());
    });
}

void Run::draw_samples() {
    observers_.tell(events::SamplesDue{state_.step, state_.ema.get(), [this] { return stopped(); }});
    if (const auto& file = pictures_.drawn()) observers_.tell(events::SamplesDrawn{state_.step, *file});
}

}  // namespace

TrainEnd run_training(const TrainJob& job) { return Run(job, World::alone()).go(); }

}  // namespace ddpm
