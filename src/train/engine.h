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

// Computes a training run: it takes steps, judges each, and measures the loss on held-out pictures. It knows no files and no
// console. It sends events to `observers`, and its caller (run.cpp) loads and saves state() and carries out verdicts. Every rank
// of a world has an engine and makes the same calls.
class Engine {
public:
    // Begins with the state of step 0. The arguments must outlive the object. begin_attempt() must be called before the first
    // step.
    Engine(const TrainJob& job, const Observers& observers, World& world = World::alone());

    TrainState& state() { return state_; }

    // Sets up what depends on the state's attempt: random streams and the order of the pictures. It must be called again after
    // the state was rolled back.
    void begin_attempt();

    // Takes one step, sends its events and returns the verdict. After `roll_back` the caller must roll the state back, after
    // `give_up` it must call give_up().
    StepGuard::Verdict step();

    // Whether the loss on held-out pictures is measured after `step`.
    bool validation_due(int64_t step) const;

    // Measures the loss on held-out pictures. Returns whether the EMA weights are better than ever before, and notes that in the
    // state; so it must come before the step's checkpoint, whose counters hold it. It returns false after a skipped step, because
    // a rollback would remove that step's checkpoint and with it the only one of the best weights.
    bool validate();

    // Finds the place where the last step went wrong, sends GaveUp, and throws a runtime_failure that names the place.
    [[noreturn]] void give_up();

    // Estimates how long the next step will take, from the last one, including a validation that is due after it.
    double seconds_of_next_step() const;

private:
    // Returns micro-batch `micro` of step `step`, counted from 0.
    Batch load(int64_t step, int64_t micro);
    // Adds the loss to the state's window. Returns its score if that is above train.spike_threshold.
    std::optional<double> spike_of(const StepResult& result);

    const TrainJob& job_;
    const Observers& observers_;
    World& world_;
    const NoiseSchedule schedule_;
    TrainState state_;
    std::optional<Validation> validation_;  // absent without held-out pictures
    // These are made anew for each attempt.
    std::optional<TrainingStep> training_;
    std::optional<BatchLoader> loader_;

    bool in_spike_ = false;
    double step_seconds_ = 0, validate_seconds_ = 0;  // of the last step, of the last validation
};

}  // namespace ddpm::train
