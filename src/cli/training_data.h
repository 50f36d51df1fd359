#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "cli/config.h"
#include "ddpm/dataset/dataset.h"
#include "ddpm/dataset/holdout.h"

namespace ddpm::cli {

// What a run is trained on.
struct TrainingData {
    std::shared_ptr<const Dataset> whole;
    Split split;  // empty: nothing is held out

    const Dataset& training() const { return split.training ? *split.training : *whole; }
};

// Opens the configuration's data set with so many threads. user_error: the network has no row for a label, or the classes
// are not those that the checkpoint to go on from was trained with.
TrainingData open_training_data(const Config& config, const std::optional<std::filesystem::path>& checkpoint, int threads);

}  // namespace ddpm::cli
