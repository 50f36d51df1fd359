#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/diffusion/schedule.h"
#include "ddpm/diffusion/types.h"
#include "ddpm/sampling/denoiser.h"
#include "ddpm/sampling/guidance.h"
#include "ddpm/sampling/noise.h"
#include "ddpm/sampling/options.h"

namespace ddpm {

// The S+1 levels that S steps go through: from the noisy end, where x_T is, to the clean one.
using Walk = std::vector<NoiseLevel>;

// The walk over `timesteps` of the schedule (strictly ascending, each 0 … T−1, at least one; else user_error).
Walk walk_over(const NoiseSchedule& schedule, const std::vector<int64_t>& timesteps);

// The walk of S steps in one of timestep_spacing_names(). karras and exponential span the whole schedule; at zero terminal
// SNR their first level is the last t, whose k is infinite, and the others span the rest. user_error: as spaced_timesteps.
Walk spaced_walk(const NoiseSchedule& schedule, const std::string& spacing, int64_t S,
                 int64_t offset = *sample_defaults().steps_offset, double rho = *sample_defaults().rho);

// The levels that the S steps of a walk begin at when noise is added first (arXiv 2206.00364, algorithm 2): with k = σ/α in
// [s_tmin, s_tmax], the level of (1 + γ)·k, γ = min(s_churn/S, √2 − 1), at most the schedule's last; else the walk's own.
std::vector<NoiseLevel> churned_levels(const Walk& levels, const NoiseSchedule& schedule, double s_churn, double s_tmin,
                                       double s_tmax);

// Noise that a sampler adds before its steps.
struct Churn {
    double s_churn = *sample_defaults().s_churn;
    double s_tmin = *sample_defaults().s_tmin, s_tmax = std::numeric_limits<double>::infinity();
    double s_noise = *sample_defaults().s_noise;
    std::vector<NoiseLevel> levels{};  // churned_levels; empty: no noise is added
};

// SampleOptions in which everything is decided.
struct ResolvedSampling {
    std::string sampler = *sample_defaults().sampler;
    Walk levels;
    VarianceType variance = parse_variance_type(*sample_defaults().variance);  // learned_range wants a network that predicts one
    double eta = *sample_defaults().eta;                                       // 0 … 1
    int64_t order = *sample_defaults().order;                                  // 1 … 3
    Churn churn{};
    bool clip = *sample_defaults().clip;
    double clip_range = *sample_defaults().clip_range;
    std::optional<Thresholding> thresholding{};  // in place of clipping
    ClippedEps clipped_eps = ClippedEps::rederived;
    Guidance guidance{};  // whoever makes the network applies it; sample() does not look at it
    std::string spacing;  // what the levels were made by; "" for a list of timesteps
    int64_t steps_offset = *sample_defaults().steps_offset;
    double rho = *sample_defaults().rho;
    std::string notice;  // what a user should know of these settings: a spacing that was not taken; or ""

    int64_t steps() const { return static_cast<int64_t>(levels.size()) - 1; }  // S
    // Every level that the network may be asked at, some of them twice.
    std::vector<NoiseLevel> asked() const;
    // How often a batch of N pictures goes through a network from step `first` on: a guided evaluation counts twice.
    int64_t evaluations(int64_t first = 0) const;
};

// Whether a sampler with these settings draws noise, so that x_0 does not follow from x_T alone.
bool adds_noise(const ResolvedSampling& settings);

// Fills what `given` leaves unset from `fallback`, and then from sample_defaults(). Unset steps become all T. An unset spacing
// becomes that of the sampler's row; at zero terminal SNR it becomes trailing, because sampling has to begin at the last t.
// A spacing or list whose first t is before T−1 and has √ᾱ > kVisiblePicture can't begin with noise. If `given` names it, that is
// a user_error; otherwise trailing is taken and `notice` says so. With `from_picture` the first steps are left out for a picture that
// has noise on it (begun_at in ddpm/sampling/editing.h), and the walk may begin anywhere. It is also a user_error if there are more steps than
// timesteps, a t beyond the schedule, or a key in `given` that has no effect (check_keys_read).
ResolvedSampling resolve_sampling(const SampleOptions& given, const SampleOptions& fallback, const NoiseSchedule& schedule,
                                  bool from_picture = false);

// Returns the keys of `sample` in force beside sampler and steps, with their values as they are typed: {{"eta", "0.5"},
// {"timestep_spacing", "leading"}, {"clip", "none"}}. "none" stands for what is off and for no bound.
std::vector<std::pair<std::string, std::string>> keys_in_force(const ResolvedSampling& settings);

struct SamplingStep {
    int64_t i;                  // 0 … S−1, the step that was just done
    int64_t S;                  // steps in all
    const NoiseLevel& from;     // where it started
    const NoiseLevel& to;       // where x is
    const at::Tensor& x;        // x after the step, as the hook has left it
    const at::Tensor& pred_x0;  // x̂_0 as seen from where it started
};
using StepCallback = std::function<void(const SamplingStep&)>;  // may be empty

// Called after step i, which has arrived with x at `level`. Returns what to go on with, shaped like x; a mask puts the known
// pixels back in this way.
using StepHook = std::function<at::Tensor(const at::Tensor& x, int64_t i, const NoiseLevel& level)>;  // may be empty

// One run of a sampler: what its function gets. The caller owns all that is referred to.
struct SamplingRun {
    const Denoiser& denoiser;  // clipped as the settings say
    const at::Tensor& x_T;     // at the first level
    const at::Tensor& y;
    const ResolvedSampling& settings;
    const NoiseSource& noise;  // asked for step i unless no noise is added in it
    const StepCallback& on_step;
    const StepHook& hook;

    int64_t steps() const { return settings.steps(); }
    const NoiseLevel& level(int64_t i) const { return settings.levels[static_cast<size_t>(i)]; }

    // Ends step i, from level(i) to level(i + 1), with x: calls the hook, shows the result to on_step and returns it.
    at::Tensor arrive(int64_t i, const at::Tensor& x, const at::Tensor& pred_x0) const;
};

// A row of the table. `run` goes from x_T along all levels and returns x_0.
struct Sampler : SamplerInfo {
    at::Tensor (*run)(const SamplingRun& run);
};

const std::vector<Sampler>& samplers();                 // in the order of sampler_names()
const Sampler& sampler_named(const std::string& name);  // an unknown name is a user_error

// Samples x_0 [N,…] from x_T [N,…] (float32 or float64, on the network's device; y [N] int64 or undefined likewise).
// `denoiser` is unclipped: clipping is added here. No gradients are kept: it runs in inference mode, so the result can be
// looked at and saved, but not used by autograd. Levels that do not end at the clean one are a runtime_failure.
at::Tensor sample(const Denoiser& denoiser, const at::Tensor& x_T, const at::Tensor& y, const ResolvedSampling& settings,
                  const NoiseSource& noise, const StepCallback& on_step = {}, const StepHook& hook = {});

}  // namespace ddpm
