#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ddpm/core/random.h"
#include "ddpm/diffusion/level.h"
#include "ddpm/diffusion/loss_options.h"

namespace ddpm {

// A rule by which the t of a training example is drawn (train.timestep_sampling).
struct TimestepSampling {
    std::string name;
    std::string summary;
    std::vector<std::string> keys;  // the keys of LossOptions that it reads
    bool even;                      // each t is as likely as any other
    // Draws a t, 0 … T−1, for a schedule of the levels 0 … T−1. It follows from the options, the levels and the stream alone.
    std::function<int64_t(const LossOptions&, const std::vector<NoiseLevel>& levels, RandomStream&)> draw;
};

const std::vector<TimestepSampling>& timestep_samplings();
std::vector<std::string> timestep_sampling_names();
const TimestepSampling& timestep_sampling(const std::string& name);  // an unknown name is a user_error

}  // namespace ddpm
