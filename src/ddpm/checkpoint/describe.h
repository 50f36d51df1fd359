#pragma once

#include <string>

#include "ddpm/checkpoint/diffusers.h"

namespace ddpm {

// Describes a network, as in "UNet2DModel: 16×16, 3 channels; 32, 64 channels by level; 2 resnets each; attention at
// 8×8, the middle".
std::string describe_unet(const UNetConfig& config);

// Describes a schedule, as in "cosine (squaredcos_cap_v2), T = 1000, predicts epsilon".
std::string describe_scheduler(const SchedulerConfig& config);

}  // namespace ddpm
