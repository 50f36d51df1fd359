#pragma once

#include <filesystem>

#include "ddpm/run/damage.h"

namespace ddpm {

// Returns the path that open_pipeline has to open for --ckpt. For a run folder or its checkpoints/ this is the newest
// sound checkpoint; damaged ones are passed over with a warning. For a checkpoint, any pipeline of diffusers or a
// .safetensors file it is the path itself. Anything else and a damaged checkpoint are user_errors.
std::filesystem::path resolve_checkpoint(const std::filesystem::path& path, NeededFiles needed = NeededFiles::drawing);

}  // namespace ddpm
