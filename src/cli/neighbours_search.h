#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include "cli/config.h"
#include "cli/judged_samples.h"
#include "cli/neighbours_data.h"
#include "cli/neighbours_result.h"
#include "ddpm/core/runtime.h"
#include "ddpm/kernels/kernels.h"

namespace ddpm::cli {

inline constexpr int64_t kNeighboursHeldOut =
    1000;  // held-out pictures that stand beside the samples, unless --held-out says how many

// Draws or reads the samples and looks for each among all training pictures, with progress lines and warnings about what the data can't
// say; then calls `show` with what was found and the seconds that the samples took. `features` null: by pixels alone; `batch` pictures at
// a time. Stops as throw_if_stopped does.
void search_neighbours(const JudgedSamples& samples, const NeighbourData& data, const Features* features, int64_t batch,
                       const std::function<void(const NeighboursFound& found, double seconds)>& show);

inline constexpr const char* kNeighboursSheet = "neighbours.png";  // in the folder of a run

// Looks for copies among eval.n samples of a run that has ended, drawn as its grids are. Logs the verdict and writes neighbours.png into
// the run, which `ddpm report` shows. An error is a warning.
void show_neighbours_of_run(const std::filesystem::path& run, const Config& config, const Runtime& runtime, const Kernels& kernels);

}  // namespace ddpm::cli
