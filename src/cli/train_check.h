#pragma once

#include <string>

#include "ddpm/train/forecast.h"
#include "ddpm/train/trainer.h"

namespace ddpm {

// `ddpm train --check`: takes the first pass of a run without writing anything and tells about it in some lines. A folder
// that can't be written to is a user_error, a pass without a finite loss and gradient a runtime_failure.
std::string try_run(const TrainJob& job, const MemoryForecast& memory);

}  // namespace ddpm
