#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "cli/config.h"

namespace ddpm {
class UNet2D;
}

namespace ddpm::cli {

// Writes the sample grid of a training step to `file`. Throws Stopped as soon as `stop` says so, and writes nothing then.
// `network`: the EMA weights.
void draw_preview(UNet2D& network, const Config& config, const std::vector<std::string>& class_names,
                  const std::filesystem::path& file, const std::function<bool()>& stop);

}  // namespace ddpm::cli
