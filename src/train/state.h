#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ddpm/train/optimizer.h"
#include "ddpm/train/trainer.h"

namespace ddpm {

class UNet2D;

struct StepResult {
    double loss = 0, grad_norm = 0, learning_rate = 0;
};

// Everything that a run carries from one step to the next.
struct TrainState {
    std::shared_ptr<UNet2D> network;  // the raw weights
    std::shared_ptr<UNet2D> ema;
    std::unique_ptr<Optimizer> optimizer;
    int64_t step = 0;            // optimizer steps done
    std::string initial_source;  // where the weights of step 0 came from; empty: drawn from the seed

    // Step 0: the job's initial weights, or weights drawn from its seed; the EMA a copy.
    explicit TrainState(const TrainJob& job);

    // One optimizer step: gradients, clip, update, EMA. `accumulate` adds those of one micro-batch (0 …
    // gradient_accumulation_steps − 1) and returns its loss. A loss or gradient that is not finite is a runtime_failure
    // that leaves the weights as they were.
    StepResult take_step(const TrainOptions& options, const std::function<double(int64_t micro)>& accumulate);

    // Takes over what save() wrote. Every mismatch is a user_error that names the file.
    void restore(const std::filesystem::path& checkpoint);

    // Writes checkpoints/step-NNNNNN under the run's folder, whole or not at all.
    void save(const TrainJob& job) const;
};

}  // namespace ddpm
