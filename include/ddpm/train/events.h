#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ddpm {

class UNet2D;

// What happens in a training run, and what observers (observer.h) hear. What an event points to is there until the call
// returns. `step` counts the steps that the run has behind it.
namespace events {

// The run's folder is open, and its state stands where the run goes on (the first AttemptBegun is told before).
struct Begun {
    int64_t step = 0, steps = 0;  // where it stands, where it ends
    int64_t parameters = 0;       // learned numbers of the network
    int64_t images = 0;           // to train on
    int64_t batch = 0;            // examples a step, of all micro-batches
};

// A return from a step of trouble to an earlier one.
struct Rollback {
    int64_t from = 0, to = 0;
    double learning_rate_factor = 1;  // of the attempt that it began
};

// Steps follow from `step` on: at the beginning of a session, and again after each rollback.
struct AttemptBegun {
    int64_t step = 0;
    std::span<const Rollback> rollbacks;  // of the run so far; their number is that of the attempt
    bool goes_on = false;                 // whether the run's steps up to `step` are to be kept; false: it begins anew
};

// The loss stands out from those before it; of steps in a row that do, only of the first.
struct SpikeBegun {
    int64_t step = 0;
    double loss = 0, score = 0;  // a robust z-score over the last `window` losses
    int64_t window = 0;
};

struct StepDone {
    int64_t step = 0;
    double loss = 0, grad_norm = 0, learning_rate = 0;
    double images_per_second = 0;
    bool skipped = false;         // the loss or the gradient is not finite: nothing but the counter has changed
    std::optional<double> spike;  // the score, where the loss stands out
};

// The step was skipped, and the run goes on with the next one.
struct Skipped {
    int64_t step = 0;
    double loss = 0, grad_norm = 0;
    int64_t in_a_row = 0, in_all = 0;
};

// Steps `to` + 1 … `from` are about to be taken back.
struct RollingBack {
    int64_t from = 0, to = 0;
};

struct RolledBack {
    int64_t from = 0, to = 0;
    int64_t patience = 0;  // skipped steps in a row that led here
    double learning_rate_factor = 1;
    int64_t attempt = 0, most = 0;  // this rollback's number, from 1, and how many there may be
};

// No finite loss and gradient `in_a_row` times after the last rollback; an error follows.
struct GaveUp {
    int64_t step = 0;
    int64_t first_t = 0, last_t = 0;  // of the micro-batch in which it went wrong
    std::string place;                // what was not finite first (train/diagnosis.h)
};

// The loss on held-out pictures.
struct HeldOutLoss {
    double mean = 0;             // of the bins
    std::vector<double> by_bin;  // mean squared error; the bins cut 0 … T−1 into equal parts, t ascending
};

struct Validated {
    int64_t step = 0;
    int64_t images = 0;               // held out
    HeldOutLoss raw, ema;             // of the raw and of the EMA weights
    bool best = false;                // the EMA weights have never been better
    std::optional<double> best_loss;  // of the EMA weights, this one included
};

// A checkpoint of the step is about to be written: it must never know of a step that an observer's files have lost. May come
// again for the same step when writing fails.
struct CheckpointBegins {
    int64_t step = 0;
};

struct CheckpointWritten {
    int64_t step = 0;
    bool asked_for = false;  // by somebody, not by the configuration alone
};

// The step's sample pictures are to be drawn with the EMA network, unless `stop` becomes true meanwhile.
struct SamplesDue {
    int64_t step = 0;
    UNet2D* ema = nullptr;
    std::function<bool()> stop;
};

// No step follows; the last checkpoint does.
struct LastStepDone {
    int64_t step = 0;
};

// All steps are done and their checkpoint is written.
struct Finished {
    int64_t step = 0, steps = 0;
};

// Stopped before the last step, the checkpoint written.
struct Stopped {
    int64_t step = 0;
};

}  // namespace events

}  // namespace ddpm
