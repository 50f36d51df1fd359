#pragma once

#include <filesystem>
#include <string>

namespace ddpm {

// What a run folder, a checkpoint, a pipeline, a .safetensors file or a file of torch.save is: lines "name  value", one
// saying how to sample from it where that can be done. Anything else is a user_error, and so are weights that do not fit the
// network or are not finite.
std::string describe_checkpoint(const std::filesystem::path& path);

}  // namespace ddpm
