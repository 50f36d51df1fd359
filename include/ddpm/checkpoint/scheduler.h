#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/core/json.h"
#include "ddpm/diffusion/options.h"
#include "ddpm/diffusion/types.h"

namespace ddpm {

// A scheduler_config.json: diffusers' DDPMScheduler, or DDIMScheduler, with their keys and defaults.
struct SchedulerConfig {
    std::string class_name = "DDPMScheduler";
    int64_t num_train_timesteps = 1000;
    double beta_start = 1e-4;
    double beta_end = 0.02;
    std::string beta_schedule = "linear";
    std::optional<std::vector<double>> trained_betas;  // instead of the three keys above
    std::string variance_type = "fixed_small";
    bool clip_sample = true;
    double clip_sample_range = 1.0;
    std::string prediction_type = "epsilon";
    bool thresholding = false;
    double dynamic_thresholding_ratio = 0.995;
    double sample_max_value = 1.0;
    std::string timestep_spacing = "leading";
    int64_t steps_offset = 0;
    bool rescale_betas_zero_snr = false;
    bool set_alpha_to_one = true;  // DDIMScheduler only
};

// Reads a scheduler_config.json. Missing keys take diffusers' defaults, unknown ones are warned about. Other
// schedulers, the variance types learned and fixed_large_log, thresholding that would blow images up and set_alpha_to_one
// false are user_errors that begin with `source` and name them.
SchedulerConfig scheduler_from_json(const Json& json, const std::string& source);

// Writes the keys of the scheduler's class, sorted, with _class_name and _diffusers_version.
Json scheduler_to_json(const SchedulerConfig& config);

// Expresses the same chain for diffusers. Our rescaled linear schedule becomes their linear one with other betas,
// cosine becomes squaredcos_cap_v2, and sigmoid is written out as trained_betas. Keys that the options do not have keep
// diffusers' defaults.
SchedulerConfig to_scheduler(const DiffusionOptions& options);

// Returns the betas of a scheduler in float64, with rescale_betas_zero_snr applied.
std::vector<double> make_betas(const SchedulerConfig& config);

// Returns the variance of a scheduler. fixed_small_log is read as fixed_small.
VarianceType variance_type(const SchedulerConfig& config);

}  // namespace ddpm
