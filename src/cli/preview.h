#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "cli/config.h"
#include "ddpm/pipeline/session.h"

namespace ddpm {
class UNet2D;
}

namespace ddpm::cli {

// How the grids of a training are sampled, as train.sample_steps says.
SampleOptions preview_sampling(const Config& config);

// Opens a session that samples as train.sample_steps says, from a network in training. The network must outlive the session and must
// not change meanwhile.
Session preview_session(UNet2D& network, const Config& config, const std::vector<std::string>& class_names, uint64_t seed);

// Samples with `network`, which has the EMA weights, and writes the grid of a training step to `file`. As soon as `stop` returns
// true, it throws Stopped and writes nothing.
void draw_preview(UNet2D& network, const Config& config, const std::vector<std::string>& class_names,
                  const std::filesystem::path& file, const std::function<bool()>& stop);

}  // namespace ddpm::cli
