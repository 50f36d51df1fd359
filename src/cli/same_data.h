#pragma once

#include <filesystem>
#include <optional>

#include "cli/config.h"
#include "ddpm/dataset/dataset.h"

namespace ddpm::cli {

// Whether the data that a run goes on with is what its checkpoint was trained on. `whole`: the data set before anything is
// held out. `training`: how many of its examples are trained on.

// user_error: dataset.path leads nowhere, and the pictures may lie somewhere else by now. Asked before the data is opened.
void check_data_is_there(const std::filesystem::path& checkpoint, const Config& config);

// user_error: the network knows of classes, and they are not the same ones in the same order.
void check_same_classes(const std::filesystem::path& checkpoint, const Config& config, const Dataset& whole);

// user_error: dataset.path is another one, and other pictures, or another number of them, lie there. What has changed in the
// same place is a warning (of another number of images run_training warns), and what has been found otherwise is logged.
// `now`: the fingerprint of `whole`; a checkpoint of before fingerprints has none, and then the number decides.
void check_same_pictures(const std::filesystem::path& checkpoint, const Config& config, int64_t training,
                         const std::optional<DataFingerprint>& now);

}  // namespace ddpm::cli
