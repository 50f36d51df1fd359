#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/train/optimizer.h"
#include "ddpm/train/step.h"
#include "ddpm/train/trainer.h"
#include "ddpm/train/world.h"
#include "train/guard.h"
#include "train/spikes.h"

namespace ddpm {
class UNet2D;
}

namespace ddpm::train {

// Copies all weights between networks of one configuration. They may be on different devices.
void copy_weights(const UNet2D& from, UNet2D& to);

// Returns the checkpoint from which the job goes on, or nothing if it begins at step 0.
std::optional<std::filesystem::path> checkpoint_to_resume(const TrainJob& job);

struct StepResult {
    double loss = 0, grad_norm = 0, learning_rate = 0;
    bool finite() const;
};

// The checkpoint whose EMA weights have the lowest loss on held-out pictures.
struct Best {
    int64_t step = 0;
    double loss = 0;
};

// The checkpoint whose samples are best by the first number of a judgement.
struct BestQuality {
    int64_t step = 0;
    double value = 0;
    std::string metric, protocol;  // what was measured, and how
};

// Everything that a run carries from one step to the next.
struct TrainState {
    std::shared_ptr<UNet2D> network;  // the raw weights
    std::shared_ptr<UNet2D> ema;
    std::unique_ptr<Optimizer> optimizer;
    int64_t step = 0;       // steps done, including skipped ones, which the optimizer does not count
    int64_t last_good = 0;  // a rollback goes back to the checkpoint of this step; 0 without one: to the beginning
    StepGuard guard;
    LossWindow recent_losses;
    std::optional<Best> best;
    std::optional<BestQuality> best_quality;
    std::optional<int64_t> good_quality;     // the step of best_quality as of the step last_good, to which a rollback goes back
    Streams streams = Streams::by_position;  // for a run that begins now
    std::string initial_source;              // where the weights of step 0 came from; empty: drawn from the seed

    // Makes the state of step 0, with the job's initial weights or with weights drawn from its seed. The EMA is a copy of them.
    explicit TrainState(const TrainJob& job);

    // Takes one optimizer step: gradients, clipping, update, EMA. `accumulate` adds the gradients of one micro-batch (0 …
    // gradient_accumulation_steps − 1) and returns its loss, which the next call may overwrite. If the loss or the gradient is not
    // finite, the step is counted and changes nothing else. The size of `world` must divide the number of micro-batches. Each rank
    // takes an equal share of them, in the order of the ranks, and gradients and loss are summed over the ranks.
    StepResult take_step(const TrainOptions& options, const std::function<at::Tensor(int64_t micro)>& accumulate,
                         World& world = World::alone());

    // Returns the steps whose checkpoints must not be removed.
    std::vector<int64_t> kept_checkpoints() const {
        std::vector<int64_t> kept{last_good};
        if (best) kept.push_back(best->step);
        if (best_quality) kept.push_back(best_quality->step);
        if (good_quality) kept.push_back(*good_quality);
        return kept;
    }

    // Restores what save() wrote. Every mismatch is a user_error that names the file.
    void restore(const std::filesystem::path& checkpoint);

    // Goes back to `last_good` and begins the next attempt. If that checkpoint is missing, it is a runtime_failure.
    void roll_back(const TrainJob& job);

    // Writes checkpoints/step-NNNNNN under the run's folder, whole or not at all.
    void save(const TrainJob& job) const;

    // Writes the averages of train.ema_widths into ema/ under the run's folder, each file whole or not at all.
    void save_averages(const TrainJob& job) const;
};

}  // namespace ddpm::train
