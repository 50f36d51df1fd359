#pragma once

#include <filesystem>

#include "cli/config.h"
#include "ddpm/core/runtime.h"
#include "ddpm/kernels/kernels.h"

namespace ddpm::cli {

// Returns the settings of a run that begins: the defaults with the given settings on top. It is a user_error if they contradict
// each other, or if the network can only be sampled from and not trained.
Config begun_config(const GivenConfig& given);

// Returns the settings of a run that goes on from a checkpoint: the checkpoint's, with the given settings on top. It is also a
// user_error if the given settings would make it another run.
Config continued_config(const GivenConfig& given, const std::filesystem::path& checkpoint);

// Replaces train.precision "auto" by the precision that it means on this machine.
void settle_precision(TrainOptions& options, const Kernels& kernels, const Runtime& runtime);

}  // namespace ddpm::cli
