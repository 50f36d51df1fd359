#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/core/clock.h"
#include "ddpm/core/json.h"
#include "ddpm/core/runtime.h"
#include "ddpm/dataset/dataset.h"
#include "ddpm/diffusion/options.h"
#include "ddpm/kernels/kernels.h"
#include "ddpm/nn/options.h"
#include "ddpm/train/judging_options.h"
#include "ddpm/train/observer.h"
#include "ddpm/train/options.h"

namespace ddpm {

class UNet2D;

// The description of a training run. All random numbers follow from `seed` and the step. Whatever it points to must outlive the
// run.
struct TrainJob {
    std::filesystem::path folder;  // the run folder
    Json config;                   // the resolved configuration; stored with the run, and not read here
    uint64_t seed = 0;
    UNetConfig unet;
    DiffusionOptions diffusion;
    TrainOptions train;
    const Dataset* dataset = nullptr;
    std::optional<DataFingerprint> data;  // kept in counters.json, so that a resume can tell whether the data is the same
    const Dataset* held_out = nullptr;    // the loss is measured on it every validate_every steps; may be null
    int loader_threads = 1;               // ≥ 1; they prepare batches
    Runtime runtime{};
    const Kernels* kernels = &plain_kernels();
    bool resume = false;
    // The checkpoint that a resume goes on from; unset: the newest complete one of the folder, or step 0 if there is none.
    std::optional<std::filesystem::path> checkpoint;
    // Raw and EMA weights at step 0: copies of this network's, which must be one of `unet`; null: weights drawn from the seed.
    // `initial_source` says where it came from. A run that resumes from a checkpoint ignores both.
    std::shared_ptr<const UNet2D> initial;
    std::string initial_source;

    // Samples with the EMA network and writes the step's grid to `file`. It calls `stop` now and then, and returns without a file
    // once that is true. A ddpm::Error that it throws becomes a warning. May be empty.
    std::function<void(UNet2D& ema, const std::filesystem::path& file, const std::function<bool()>& stop)> draw_samples;
    // Judges samples of the EMA network, whose noise follows from the seed and the step. It calls `stop` now and then, and returns
    // nothing once that is true. A ddpm::Error that it throws becomes a warning. It must not change anything that the run
    // computes. May be empty; when it is called stands in `judging`.
    std::function<std::optional<events::Judgement>(UNet2D& ema, int64_t step, const std::function<bool()>& stop)> judge;
    JudgingOptions judging;
    // The run ends where it finds that there is nothing more to gain (events::DoneFound).
    bool stop_when_done = false;
    // More observers. They receive each event after those that write metrics.jsonl, the log and the pictures.
    std::vector<Observer*> observers;
    // Returns whether the run has to stop; called after every step and while pictures are sampled. May be empty.
    std::function<bool()> stop_requested;
    // Returns whether a checkpoint was requested since the last call; called after every step. May be empty.
    std::function<bool()> checkpoint_requested;
    // The time, in seconds of `clock`, by which the run has stopped and its checkpoint is written. The run estimates how long
    // that takes.
    double deadline = std::numeric_limits<double>::infinity();
    std::function<double()> clock = steady_seconds;
};

enum class TrainEnd { finished, stopped, done };  // done: by TrainJob::stop_when_done

// Trains from step 0, or with `resume` from a checkpoint, to train.steps. Writes config.json, metrics.jsonl, samples/,
// checkpoints/ and at the end loss.png into the folder, which must exist; with train.ema_widths also ema/, snapshots of averages;
// with train.tensorboard also tensorboard/, event files.
//
// A stop, requested or because of the deadline, finishes the step and writes a checkpoint. A run with `initial` weights also
// writes one at step 0, so that a resume never needs them. With held-out pictures the run keeps the checkpoint whose EMA
// weights have the lowest loss on them, and the link checkpoints/best points to it; with `judge` also the one whose samples were
// best, and checkpoints/best-quality points to that. A rollback never goes back to a checkpoint that only judging has called for, so
// judging changes no weights.
//
// A step whose loss or gradient is not finite is skipped. train.nonfinite_patience such steps in a row make the run go back to
// its last good checkpoint, train.max_rollbacks times at most; snapshots of later steps are removed. After that it throws a runtime_failure that says where the first
// value was not finite. Other errors: a user_error if the checkpoint does not fit the job; a runtime_failure if a checkpoint
// can't be written, three times in a row, or if the folder was moved or removed. A moved folder has a checkpoint of the last
// step by then.
TrainEnd run_training(const TrainJob& job);

}  // namespace ddpm
