#include "train/engine.h"

#include <cmath>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/random.h"
#include "train/diagnosis.h"

namespace ddpm::train {

Engine::Engine(const TrainJob& job, const Observers& observers, World& world)
    : job_(job), observers_(observers), world_(world), schedule_(make_schedule(job.diffusion)), state_(job) {
    if (job.held_out) validation_.emplace(job, schedule_);
}

void Engine::begin_attempt() {
    const uint64_t attempt = state_.guard.attempt();
    training_.emplace(*state_.network, make_objective(schedule_, job_.diffusion, job_.train), job_.train,
                      attempt_seed(job_.seed, attempt), job_.runtime, state_.streams);
    loader_.reset();  // ends its threads before new ones start
    loader_.emplace(*job_.dataset, job_.train.batch_size, job_.seed, job_.loader_threads, attempt);
}

Batch Engine::load(int64_t step, int64_t micro) { return loader_->load(step * job_.train.gradient_accumulation_steps + micro); }

StepGuard::Verdict Engine::step() {
    const double began = job_.clock();
    const StepResult result = state_.take_step(
        job_.train, [&](int64_t micro) { return training_->accumulate(load(state_.step, micro), state_.step, micro); }, world_);
    step_seconds_ = job_.clock() - began;
    const auto images = static_cast<double>(job_.train.batch_size * job_.train.gradient_accumulation_steps);
    const std::optional<double> spike = spike_of(result);
    if (spike && !in_spike_)
        observers_.tell(events::SpikeBegun{state_.step, result.loss, *spike, static_cast<int64_t>(LossWindow::kWindow)});
    in_spike_ = spike.has_value();
    observers_.tell(events::StepDone{state_.step, result.loss, result.grad_norm, result.learning_rate, images / step_seconds_,
                                     !result.finite(), spike});
    const StepGuard::Verdict verdict = state_.guard.judge(result.finite(), job_.train);
    if (verdict == StepGuard::Verdict::skip)
        observers_.tell(events::Skipped{state_.step, result.loss, result.grad_norm, state_.guard.in_a_row, state_.guard.skipped});
    return verdict;
}

std::optional<double> Engine::spike_of(const StepResult& result) {
    if (!result.finite()) return std::nullopt;
    const double score = state_.recent_losses.add(result.loss), threshold = job_.train.spike_threshold;
    return threshold > 0 && score > threshold ? std::optional(score) : std::nullopt;
}

bool Engine::validation_due(int64_t step) const {
    const int64_t every = job_.train.validate_every;
    return validation_ && (step == job_.train.steps || (every > 0 && step % every == 0));
}

bool Engine::validate() {
    const double began = job_.clock();
    const events::HeldOutLoss raw = validation_->measure(*state_.network), ema = validation_->measure(*state_.ema);
    validate_seconds_ = job_.clock() - began;
    const bool best = state_.guard.in_a_row == 0 && std::isfinite(ema.mean) && (!state_.best || ema.mean < state_.best->loss);
    if (best) state_.best = {state_.step, ema.mean};
    observers_.tell(events::Validated{state_.step, job_.held_out->size(), raw, ema, best,
                                      state_.best ? std::optional(state_.best->loss) : std::nullopt});
    return best;
}

void Engine::give_up() {
    const StepGuard& guard = state_.guard;
    const int64_t step = state_.step - 1;
    const Diagnosis diagnosis = diagnose_step(*state_.network, schedule_, job_, attempt_seed(job_.seed, guard.attempt()),
                                              state_.streams, step, [&](int64_t micro) { return load(step, micro); });
    observers_.tell(events::GaveUp{state_.step, diagnosis.first_t, diagnosis.last_t, diagnosis.place});
    runtime_failure(fmt::format("step {}: no finite loss and gradient {} times in a row, after {} rollback{}; {}", state_.step,
                                guard.in_a_row, guard.attempt(), guard.attempt() == 1 ? "" : "s", diagnosis.text()),
                    "a lower train.learning_rate or a longer train.warmup_steps helps; the last good checkpoint is intact, and "
                    "--resume with a larger train.max_rollbacks tries again from there");
}

double Engine::seconds_of_next_step() const { return step_seconds_ + (validation_due(state_.step + 1) ? validate_seconds_ : 0); }

}  // namespace ddpm::train
