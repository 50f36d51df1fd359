#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "cli/config.h"
#include "ddpm/dataset/dataset.h"
#include "ddpm/dataset/holdout.h"

namespace ddpm::cli {

// The data of a run.
struct TrainingData {
    std::shared_ptr<const Dataset> whole;
    Split split;                                 // empty if nothing is held out
    std::optional<DataFingerprint> fingerprint;  // of the whole

    const Dataset& training() const { return split.training ? *split.training : *whole; }
};

// Opens the configuration's data set with this many threads. It is a user_error if the network has no row for a label, or if the
// data is not what `checkpoint`, from which the run goes on, was trained on (same_data.h).
TrainingData open_training_data(const Config& config, const std::optional<std::filesystem::path>& checkpoint, int threads);

}  // namespace ddpm::cli
