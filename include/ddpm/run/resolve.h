#pragma once

#include <filesystem>

#include "ddpm/run/damage.h"

namespace ddpm {

// What --ckpt means, for open_pipeline: the newest sound checkpoint of a run folder (or of its checkpoints/; damaged ones
// are passed over with a warning), else the path itself, a checkpoint, any pipeline of diffusers or a .safetensors file.
// user_error: nothing of the kind there.
std::filesystem::path resolve_checkpoint(const std::filesystem::path& path, NeededFiles needed = NeededFiles::drawing);

}  // namespace ddpm
