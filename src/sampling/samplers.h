#pragma once

#include <functional>

#include "ddpm/sampling/sampler.h"

namespace ddpm::sampling {

// Calls `run` with the denoiser clipped or thresholded as the settings say.
at::Tensor with_bounds(const Denoiser& denoiser, const ResolvedSampling& settings,
                       const std::function<at::Tensor(const Denoiser&)>& run);

// The samplers' functions, each in a file of its own.
#define DDPM_SAMPLER(function, ...) at::Tensor function(const SamplingRun& run);
#include "sampling/samplers.def"
#undef DDPM_SAMPLER

}  // namespace ddpm::sampling
