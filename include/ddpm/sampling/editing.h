#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/diffusion/types.h"
#include "ddpm/sampling/sampler.h"

namespace ddpm {

// Sampling that begins with a picture or keeps a part of one. docs/editing.md has the formulas. Nothing here knows files.

// Where a walk begins that starts at a picture with noise (SDEdit, Meng et al. 2022, arXiv 2108.01073). At most one of both
// is set; with neither the walk begins where it does without a picture.
struct WalkStart {
    std::optional<double> strength{};  // above 0, at most 1: this share of the steps is taken, the last ones
    std::optional<int64_t> from_t{};   // 0 … T−1

    bool in_the_middle() const { return strength.has_value() || from_t.has_value(); }
    // Whether the first level may be another than without a picture. Strength 1 takes the whole walk.
    bool leaves_out_steps() const { return from_t.has_value() || (strength && *strength < 1); }
};

// Returns the settings for a walk that begins there:
//   strength  the last ⌊S·strength⌋ steps of the walk. It is cut by index, and no t is looked up. A product that misses a whole
//             number by rounding alone counts as that number, so that 0.58 of 50 steps are 29.
//   from_t    from level t on, which need not be one of the walk's, then along those of the walk that are less noisy.
// A step that is left keeps the churn that it has in the whole walk. user_error with the key "strength" or "from_t": a value
// out of range, both of them, a strength that is less than one step.
ResolvedSampling begun_at(ResolvedSampling settings, const WalkStart& start, const NoiseSchedule& schedule);

// The hook of inpainting by replacement (Lugmayr et al. 2022, arXiv 2201.09865, eq. 8), which works with every sampler:
// x ← M·(α·known + σ·z) + (1 − M)·x at the level that the step arrived at, where z = noise(i) is drawn for each step. At the
// clean level it is M·known + (1 − M)·x, so that pixels with M = 1 are those of `known` exactly.
// known [N,C,H,W]; mask, which can be broadcast to it, in [0, 1], 1 where a pixel is kept.
StepHook keep_known(const at::Tensor& known, const at::Tensor& mask, const NoiseSource& noise);

// How RePaint goes back and forth (the same paper, section 4.2): the walk jumps back over `jump` steps, so that each of them
// is taken `resamplings` times.
struct Repaint {
    int64_t resamplings = 10;  // r, 1 … 1000; with 1 nothing is repeated
    int64_t jump = 10;         // j, at least 1 and less than the number of steps
};

// Returns the order in which RePaint visits the steps, which are counted from the clean end: step τ goes from τ + 1 levels above
// x_0 to τ. An entry that is less than the one before means that this step is taken; one that is more, that the step before is undone.
// user_error with the key "repaint": numbers out of range, a single step.
std::vector<int64_t> repaint_order(int64_t S, const Repaint& repaint);

// How many steps of such an order are taken, each an evaluation. The others are undone.
int64_t steps_taken(const std::vector<int64_t>& order);

// Does what sample() does, in RePaint's order. A step is undone by x ← √(1−β)·x + √β·z, β = 1 − ᾱ_from/ᾱ_to of that step, which may
// span several t. `noise`, `hook` and `on_step` count the steps that are taken, S of SamplingStep is their number, and `undo` counts
// those that are undone. user_error with the key "repaint": as repaint_order, and a sampler whose row in samplers.def does not say
// `repaints`.
at::Tensor sample_repaint(const Denoiser& denoiser, const at::Tensor& x_T, const at::Tensor& y, const ResolvedSampling& settings,
                          const Repaint& repaint, const NoiseSource& noise, const NoiseSource& undo, const StepCallback& on_step,
                          const StepHook& hook);

// The names of the samplers whose steps RePaint can repeat.
std::vector<std::string> repainting_samplers();

// Encodes x_0 [N,…] into the x at the first level of the walk from which DDIM with η = 0, unclipped, comes back to x_0 (DDIM
// inversion; Song et al. 2021, arXiv 2010.02502, eq. 13 and 14 run backwards). One evaluation for each step takes ε̂ at the level
// where the step begins, and the way back misses x_0 by that. Each further one repeats the step's equation with ε̂ at the x_t that the
// last one has reached; its fixed point is the exact inverse (Pan et al. 2023, arXiv 2309.04907). Out of zero terminal SNR there
// is no way back to be exact about, and a step into it is evaluated once. `evaluations`: at least 1. `after_step` gets the number
// of steps that are done. It runs in inference mode.
at::Tensor encode(const Denoiser& denoiser, const at::Tensor& x_0, const at::Tensor& y, const Walk& walk, PredictionType type,
                  int64_t evaluations = 1, const std::function<void(int64_t done)>& after_step = {});

// Spherical interpolation (arXiv 2010.02502, eq. 67) between x and y, of one shape, computed in float64: with θ the angle
// between them, sin((1−f)θ)/sin θ·x + sin(fθ)/sin θ·y. f = 0 gives x and f = 1 gives y to the bit; between them the length goes from
// the one's to the other's, as N(0, I) wants it in many dimensions. Returns x's dtype. user_error: x and y are opposite.
at::Tensor slerp(const at::Tensor& x, const at::Tensor& y, double fraction);

}  // namespace ddpm
