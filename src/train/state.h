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

// Between networks of one configuration, on any devices.
void copy_weights(const UNet2D& from, UNet2D& to);

// Where a resumed job goes on; nothing: at step 0.
std::optional<std::filesystem::path> checkpoint_to_resume(const TrainJob& job);

struct StepResult {
    double loss = 0, grad_norm = 0, learning_rate = 0;
    bool finite() const;
};

// The checkpoint whose EMA weights do best on held-out pictures.
struct Best {
    int64_t step = 0;
    double loss = 0;
};

// Everything that a run carries from one step to the next.
struct TrainState {
    std::shared_ptr<UNet2D> network;  // the raw weights
    std::shared_ptr<UNet2D> ema;
    std::unique_ptr<Optimizer> optimizer;
    int64_t step = 0;       // steps taken, skipped ones too: the optimizer counts its own
    int64_t last_good = 0;  // the step whose checkpoint a rollback goes back to; 0 without one: the beginning
    StepGuard guard;
    LossWindow recent_losses;
    std::optional<Best> best;
    Streams streams = Streams::by_position;  // of a run begun now
    std::string initial_source;              // where the weights of step 0 came from; empty: drawn from the seed

    // Step 0: the job's initial weights, or weights drawn from its seed; the EMA a copy.
    explicit TrainState(const TrainJob& job);

    // One optimizer step: gradients, clip, update, EMA. `accumulate` adds those of one micro-batch (0 …
    // gradient_accumulation_steps − 1) and returns its loss, which the next may overwrite. Where the loss or the gradient is
    // not finite the step counts and changes nothing else. Each rank of `world`, whose size divides the number of micro-batches,
    // takes as many of them, in the order of the ranks; gradients and loss are summed over the ranks.
    StepResult take_step(const TrainOptions& options, const std::function<at::Tensor(int64_t micro)>& accumulate,
                         World& world = World::alone());

    // Steps whose checkpoints must not be removed.
    std::vector<int64_t> kept_checkpoints() const {
        return best ? std::vector<int64_t>{last_good, best->step} : std::vector<int64_t>{last_good};
    }

    // Takes over what save() wrote. Every mismatch is a user_error that names the file.
    void restore(const std::filesystem::path& checkpoint);

    // Goes back to `last_good` and begins the next attempt.
    void roll_back(const TrainJob& job);

    // Writes checkpoints/step-NNNNNN under the run's folder, whole or not at all.
    void save(const TrainJob& job) const;
};

}  // namespace ddpm::train
