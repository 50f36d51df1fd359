#pragma once

#include <filesystem>
#include <string>

#include "ddpm/train/forecast.h"
#include "ddpm/train/trainer.h"

namespace ddpm::cli {

// Throws a user_error if the folder of a run or its checkpoints/ can't be written to, or can't be made.
void check_run_writable(const std::filesystem::path& run);

// Does the work of `ddpm train --check`: it makes the first pass of a run without writing anything, and returns some lines about
// it. If the loss or the gradient is not finite, it is a runtime_failure.
std::string try_run(const TrainJob& job, const MemoryForecast& memory);

}  // namespace ddpm::cli
