#pragma once

#include "ddpm/sampling/sampler.h"

namespace ddpm::sampling {

// The samplers' functions, each in a file of its own.
#define DDPM_SAMPLER(function, ...) at::Tensor function(const SamplingRun& run);
#include "sampling/samplers.def"
#undef DDPM_SAMPLER

}  // namespace ddpm::sampling
