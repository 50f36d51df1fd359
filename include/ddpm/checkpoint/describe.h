#pragma once

#include <filesystem>
#include <string>

#include "ddpm/checkpoint/diffusers.h"

namespace ddpm {

// "16×16, 3 channels; 32, 64 channels by level; 2 resnets each; attention at 8×8 and in the middle"
std::string describe_unet(const UNetConfig& config);

// "cosine (squaredcos_cap_v2), T = 1000, predicts epsilon"
std::string describe_scheduler(const SchedulerConfig& config);

// What a run folder, a checkpoint, a pipeline, a .safetensors file or a file of torch.save is: lines "name  value", one
// saying how to sample from it where that can be done. Anything else is a user_error, and so are weights that do not fit the
// network or are not finite.
std::string describe_checkpoint(const std::filesystem::path& path);

}  // namespace ddpm
