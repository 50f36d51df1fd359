#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/core/options.h"

namespace ddpm {

// What a sampler may be called. Beside samplers() so that options are read without LibTorch.
std::vector<std::string> sampler_names();

// Configuration section `sample`, and what the flags of `ddpm sample` set. A member that is unset says nothing: the
// next layer decides (flags, then the checkpoint's section, then its scheduler), and at last resolve_sampling.
struct SampleOptions {
    std::optional<std::string> sampler;  // one of sampler_names()
    std::optional<int64_t> steps;
    std::optional<std::string> variance;
    std::optional<double> eta;
    std::optional<bool> clip;
    std::optional<double> clip_range;
    std::optional<std::string> timestep_spacing;
    std::optional<int64_t> steps_offset;
};

const FieldTable<SampleOptions>& sample_fields();

// `upper` with its unset members taken from `lower`.
SampleOptions filled_from(SampleOptions upper, const SampleOptions& lower);

}  // namespace ddpm
