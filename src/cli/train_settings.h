#pragma once

#include <filesystem>

#include "cli/config.h"
#include "ddpm/core/runtime.h"
#include "ddpm/kernels/kernels.h"

namespace ddpm::cli {

// The settings of a run that begins: what is given over the defaults. user_error: they contradict each other, or the network
// is one that can be drawn from and not trained.
Config begun_config(const GivenConfig& given);

// The settings of a run that goes on from a checkpoint: its own, with what is given on top. user_error also where what is
// given would make it another run.
Config continued_config(const GivenConfig& given, const std::filesystem::path& checkpoint);

// Makes of train.precision "auto" what it means for a run that begins on this machine.
void settle_precision(TrainOptions& options, const Kernels& kernels, const Runtime& runtime);

}  // namespace ddpm::cli
