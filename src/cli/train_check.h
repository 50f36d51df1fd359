#pragma once

#include <filesystem>
#include <string>

#include "ddpm/train/forecast.h"
#include "ddpm/train/trainer.h"

namespace ddpm::cli {

// user_error: the folder of a run, or that of its checkpoints, can't be written to, or could not be made.
void check_run_writable(const std::filesystem::path& run);

// `ddpm train --check`: takes the first pass of a run without writing anything and tells about it in some lines.
// runtime_failure: a pass without a finite loss and gradient.
std::string try_run(const TrainJob& job, const MemoryForecast& memory);

}  // namespace ddpm::cli
