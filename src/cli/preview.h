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

// Samples with `network`, which has the EMA weights, and writes the grid of a training step to `file`. As soon as `stop` returns
// true, it throws Stopped and writes nothing.
void draw_preview(UNet2D& network, const Config& config, const std::vector<std::string>& class_names,
                  const std::filesystem::path& file, const std::function<bool()>& stop);

}  // namespace ddpm::cli
