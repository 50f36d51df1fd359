#pragma once

#include "ddpm/sampling/sampler.h"

namespace ddpm {

at::Tensor sample_ancestral(const Denoiser& denoiser, const at::Tensor& x_T, const at::Tensor& y,
                            const ResolvedSampling& settings, const NoiseSource& noise, const StepCallback& on_step);

at::Tensor sample_ddim(const Denoiser& denoiser, const at::Tensor& x_T, const at::Tensor& y,
                       const ResolvedSampling& settings, const NoiseSource& noise, const StepCallback& on_step);

}  // namespace ddpm
