#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "ddpm/core/clock.h"
#include "ddpm/core/json.h"
#include "ddpm/core/runtime.h"
#include "ddpm/dataset/dataset.h"
#include "ddpm/diffusion/options.h"
#include "ddpm/kernels/kernels.h"
#include "ddpm/nn/options.h"
#include "ddpm/train/observer.h"
#include "ddpm/train/options.h"

namespace ddpm {

class UNet2D;

// What a run is made of. Everything random in it follows from `seed` and the step.
struct TrainJob {
    std::filesystem::path folder;  // of the run
    Json config;                   // resolved; stored, and compared on a resume
    uint64_t seed = 0;
    UNetConfig unet;
    DiffusionOptions diffusion;
    TrainOptions train;
    const Dataset* dataset = nullptr;
    const Dataset* held_out = nullptr;  // what the loss is measured on every validate_every steps; may be missing
    int loader_threads = 1;
    Runtime runtime{};
    const Kernels* kernels = &plain_kernels();
    bool resume = false;
    // What `resume` goes on from; without it the newest complete checkpoint of the folder.
    std::optional<std::filesystem::path> checkpoint;
    // What step 0 begins with instead of weights drawn from the seed, raw and EMA alike: a network of `unet`, and where
    // it came from. Not looked at once a checkpoint is there to resume from.
    std::shared_ptr<const UNet2D> initial;
    std::string initial_source;

    // Draws the sample grid of a step with the EMA network into `file`; looks at `stop` now and then, and where that is
    // true leaves no file.
    std::function<void(UNet2D& ema, const std::filesystem::path& file, const std::function<bool()>& stop)> draw_samples;
    // Who watches besides metrics.jsonl, the log and the pictures, and is told after them. They must outlive the run.
    std::vector<Observer*> observers;
    // Whether somebody asked for a stop; looked at after every step.
    std::function<bool()> stop_requested;
    // Whether somebody asked for a checkpoint since it was last called; looked at after every step.
    std::function<bool()> checkpoint_requested;
    // When the run must have stopped, its checkpoint written, by `clock`; both in seconds.
    double deadline = std::numeric_limits<double>::infinity();
    std::function<double()> clock = steady_seconds;
};

enum class TrainEnd { finished, stopped };

// Trains from step 0, or with `resume` from the newest complete checkpoint of the folder, to train.steps. Writes
// config.json, metrics.jsonl, samples/, checkpoints/ and at the end loss.png into the folder, which must exist.
//
// A stop, asked for or because of the deadline, finishes the step and writes a checkpoint. A run with `initial` weights
// writes one at step 0 too, so that a resume never needs them. With held-out pictures the checkpoint whose EMA weights have
// the lowest loss on them is kept, and the link checkpoints/best points to it. Steps that go wrong: train/guard.h; a run
// that can't go on is a runtime_failure that says where its first value was not finite. So is one whose folder was moved or
// removed; a moved one has a checkpoint in its new place then.
TrainEnd run_training(const TrainJob& job);

}  // namespace ddpm
