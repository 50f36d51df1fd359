#pragma once

#include <filesystem>
#include <string>

namespace ddpm {

// Describes a run folder, a checkpoint, a pipeline, a .safetensors file or a torch.save file, in lines "name  value".
// One line says how to sample from it, if that can be done. Anything else is a user_error, and so are weights that do
// not fit the network or are not finite.
std::string describe_checkpoint(const std::filesystem::path& path);

}  // namespace ddpm
