#pragma once

#include "ddpm/pipeline/edit.h"

namespace ddpm::pipeline {

// What the samples of one batch draw. Each is [N,C,H,W] float32.
struct EditNoise {
    at::Tensor start;    // x_T, or the noise on the pictures where the walk begins with them
    NoiseSource steps;   // of the sampler
    NoiseSource known;   // on what a mask keeps, after each step
    NoiseSource undone;  // of the steps that RePaint undoes
};

// Samples first … first + N − 1 of an edit that check() has let pass.
at::Tensor sample_edited(const Edit& edit, int64_t first, const Denoiser& denoiser, const at::Tensor& y,
                         const ResolvedSampling& settings, const EditNoise& noise, const StepCallback& on_step);

}  // namespace ddpm::pipeline
