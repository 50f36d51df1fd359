#pragma once

#include <filesystem>
#include <memory>

#include "cli/config.h"
#include "ddpm/dataset/dataset.h"

namespace ddpm::cli {

// Prints which pictures of the configuration's data set are there twice: counts, then the first pairs. Warns if a held-out picture
// is one of training too. Writes the first pairs side by side to `sheet` unless it is empty or there are none.
void report_duplicates(const Config& config, const std::shared_ptr<const Dataset>& dataset, int threads,
                       const std::filesystem::path& sheet);

}  // namespace ddpm::cli
