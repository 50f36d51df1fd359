#pragma once

#include <cstdint>
#include <optional>

#include "ddpm/dataset/loader.h"
#include "ddpm/diffusion/schedule.h"
#include "ddpm/train/step.h"
#include "ddpm/train/trainer.h"
#include "train/observers.h"
#include "train/state.h"
#include "train/validation.h"

namespace ddpm::train {

// What a training run computes: steps, the judgement of each, and the loss on held-out pictures. It knows no files and no
// console: it tells `observers` what happened, and whoever drives it (run.cpp) loads and saves state() and does what a
// verdict says. Every rank of a world drives one, in step with the others.
class Engine {
public:
    // State of step 0. The arguments must outlive the object. begin_attempt() comes before the first step.
    Engine(const TrainJob& job, const Observers& observers, World& world = World::alone());

    TrainState& state() { return state_; }

    // Takes up what follows from the state's attempt: random streams and the order of the pictures. To be called again after
    // the state was rolled back.
    void begin_attempt();

    // One step, told to the observers and judged. After `roll_back` the state is to be rolled back, after `give_up` give_up()
    // is due.
    StepGuard::Verdict step();

    // Whether the loss on held-out pictures is measured after `step`.
    bool validation_due(int64_t step) const;

    // Measures it. Whether the EMA weights have never been better, which the state then knows: so it comes before the step's
    // checkpoint, whose counters hold what it finds. Never true after a skipped step: a rollback would take back the checkpoint
    // of that step, and with it the only one of the best weights.
    bool validate();

    // Finds out where the step just taken went wrong, tells it, and throws a runtime_failure that says it.
    [[noreturn]] void give_up();

    // How long the next step will take, judged by the last ones, with the validation that may follow it.
    double seconds_of_next_step() const;

private:
    // Micro-batch `micro` of the step after `step` others.
    Batch load(int64_t step, int64_t micro);
    // Whether the loss stands out, from the state's window, which it joins.
    std::optional<double> spike_of(const StepResult& result);

    const TrainJob& job_;
    const Observers& observers_;
    World& world_;
    const NoiseSchedule schedule_;
    TrainState state_;
    std::optional<Validation> validation_;  // absent without held-out pictures
    // Of the attempt.
    std::optional<TrainingStep> training_;
    std::optional<BatchLoader> loader_;

    bool in_spike_ = false;
    double step_seconds_ = 0, validate_seconds_ = 0;  // of the last ones
};

}  // namespace ddpm::train
