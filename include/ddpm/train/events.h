#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ddpm {

class UNet2D;

// What happens in a training run, as observers (observer.h) receive it. Whatever an event points to is valid until the call
// returns. `step` is the number of steps that the run has done, skipped ones included. The loss of a
// step is what training lowers (Objective::Judged::loss); that of held-out pictures is the mean squared error without weights.
namespace events {

// The run's folder is open, and its state is that of the step from which the run goes on. The first AttemptBegun comes before it.
struct Begun {
    int64_t step = 0, steps = 0;  // where it goes on, where it ends
    int64_t parameters = 0;       // learned numbers of the network
    int64_t images = 0;           // examples of the training data
    int64_t batch = 0;            // examples a step, of all micro-batches
};

// A return to the last good step, `to`, after step `from`.
struct Rollback {
    int64_t from = 0, to = 0;
    double learning_rate_factor = 1;  // in force since; that of earlier rollbacks is in it
};

// The steps after `step` follow. It comes when a session begins, and again after each rollback.
struct AttemptBegun {
    int64_t step = 0;
    std::span<const Rollback> rollbacks;  // of the run so far; their count is the number of the attempt
    bool goes_on = false;                 // observers keep what they have of the steps up to `step`; false: the run begins anew
};

// The loss is far above those before it. Of several such steps in a row, only the first one is reported.
struct SpikeBegun {
    int64_t step = 0;
    double loss = 0, score = 0;  // score: a robust z-score over the last `window` losses
    int64_t window = 0;
};

struct StepDone {
    int64_t step = 0;
    double loss = 0, grad_norm = 0, learning_rate = 0;  // grad_norm: the L2 norm of all gradients before clipping
    double images_per_second = 0;
    bool skipped = false;         // the loss or the norm is not finite, so that only the counter of steps has changed
    std::optional<double> spike;  // the score, if the loss is above train.spike_threshold
};

// The step was skipped, and the run goes on with the next one.
struct Skipped {
    int64_t step = 0;
    double loss = 0, grad_norm = 0;
    int64_t in_a_row = 0, in_all = 0;
};

// Steps `to` + 1 … `from` will be taken back.
struct RollingBack {
    int64_t from = 0, to = 0;
};

struct RolledBack {
    int64_t from = 0, to = 0;
    int64_t patience = 0;             // train.nonfinite_patience: the skipped steps in a row that led to it
    double learning_rate_factor = 1;  // as in Rollback
    int64_t attempt = 0, most = 0;    // this rollback's number, counted from 1, and train.max_rollbacks
};

// Steps were skipped until a rollback was due, and none is left. A runtime_failure follows.
struct GaveUp {
    int64_t step = 0;
    int64_t first_t = 0, last_t = 0;  // the range of t in the micro-batch that went wrong
    std::string place;                // the first value that was not finite: "at LAYER (OPERATOR)", or that there was none
};

// The loss of one network on held-out pictures.
struct HeldOutLoss {
    double mean = 0;             // over the bins
    std::vector<double> by_bin;  // mean squared error in each bin; the bins cut 0 … T−1 into equal parts, t ascending
};

struct Validated {
    int64_t step = 0;
    int64_t images = 0;               // held-out pictures
    HeldOutLoss raw, ema;             // of the raw and of the EMA weights
    bool best = false;                // ema.mean is lower than ever before; always false after a skipped step
    std::optional<double> best_loss;  // the lowest ema.mean so far, this one included; nothing before the first best one
};

// A number about the quality of samples.
struct QualityOfSamples {
    std::string name;             // "mmd"
    double value = 0, sd = 0;     // sd: the standard deviation of the value
    std::optional<double> floor;  // what as many real pictures get, which the reference does not hold
};

// Samples that are nearer to a training picture than nearly all held-out pictures are.
struct CopiesAmongSamples {
    int64_t flagged = 0, samples = 0;
    double expected = 0;  // the share that is flagged where samples have the law of held-out pictures
    double p_value = 1;   // the probability that so many or more are flagged then
};

// What is measured of samples.
struct Judgement {
    int64_t samples = 0;
    std::string protocol;                   // what else decides the numbers, on one line: only equal protocols can be compared
    std::vector<QualityOfSamples> numbers;  // not empty; the first one decides, and a lower one is better
    std::optional<CopiesAmongSamples> copies;
};

// Samples of the EMA weights were judged.
struct QualityMeasured {
    int64_t step = 0;
    Judgement judgement;
    bool best = false;         // the first number is lower than ever before by this protocol; always false after a skipped step
    double seconds = 0;        // what it took
    double share_of_time = 0;  // of the session's time so far, what judging took in all
};

// Judging was due, and was left out because it has taken more than eval.share of the session's time.
struct JudgingSkipped {
    int64_t step = 0;
    double share_of_time = 0;  // as above
    int64_t so_far = 0;        // of this session, this one included
};

// By the rule in train/stop_rule.h there is nothing more to gain. It comes once in a run, unless steps are taken back.
struct DoneFound {
    int64_t step = 0;
    std::string cause;   // "held_out_loss", "quality" or "copies"
    std::string words;   // in a sentence
    bool stops = false;  // TrainJob::stop_when_done: the run ends here
};

// A checkpoint of the step will be written. Observers flush their files to the disk now, because a checkpoint must never know
// of a step that they have lost. It comes again for the same step if writing fails.
struct CheckpointBegins {
    int64_t step = 0;
};

struct CheckpointWritten {
    int64_t step = 0;
    bool asked_for = false;  // TrainJob::checkpoint_requested asked for it
};

// The step's sample pictures are due. They are sampled from the EMA network, unless `stop` becomes true meanwhile.
struct SamplesDue {
    int64_t step = 0;
    UNet2D* ema = nullptr;       // the run's own, never null
    std::function<bool()> stop;  // whether the run has to stop
};

// The step's sample pictures are drawn, and their grid is in `file`, a PNG.
struct SamplesDrawn {
    int64_t step = 0;
    std::filesystem::path file;
};

// The last step is done. Its checkpoint follows.
struct LastStepDone {
    int64_t step = 0;
};

// All steps are done and the last checkpoint is written.
struct Finished {
    int64_t step = 0, steps = 0;
};

// The run has stopped before its last step, and its checkpoint is written.
struct Stopped {
    int64_t step = 0;
};

}  // namespace events

}  // namespace ddpm
