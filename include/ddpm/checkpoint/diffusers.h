#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/checkpoint/load.h"
#include "ddpm/checkpoint/safetensors.h"
#include "ddpm/core/json.h"
#include "ddpm/diffusion/options.h"
#include "ddpm/diffusion/posterior.h"
#include "ddpm/diffusion/schedule.h"
#include "ddpm/kernels/kernels.h"
#include "ddpm/nn/options.h"

namespace ddpm {

class UNet2D;

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

// Missing keys take diffusers' defaults, unknown ones are warned about. Other schedulers, the variance types
// learned and fixed_large_log, thresholding and set_alpha_to_one false are user_errors that begin with `source` and name them.
SchedulerConfig scheduler_from_json(const Json& json, const std::string& source);

// The class's own keys, sorted, with _class_name and _diffusers_version.
Json scheduler_to_json(const SchedulerConfig& config);

// The same chain for diffusers: our rescaled linear is theirs with other betas, cosine their squaredcos_cap_v2, our
// sigmoid goes as trained_betas. What the options don't know keeps diffusers' default.
SchedulerConfig to_scheduler(const DiffusionOptions& options);

// The betas of a scheduler, in float64 (diffusers' own tables are float32).
NoiseSchedule make_schedule(const SchedulerConfig& config);

// fixed_small_log is fixed_small.
VarianceType variance_type(const SchedulerConfig& config);

// A pipeline of diffusers that was opened: configurations read, weights checked but not read yet.
struct Pipeline {
    std::filesystem::path folder;  // or the single file
    UNetConfig unet;
    SchedulerConfig scheduler;
    bool has_scheduler = false;  // else `scheduler` is diffusers' defaults
    std::shared_ptr<const WeightSource> weights;
};

// Whether the folder looks like a pipeline: with unet/config.json, or config.json at its root beside
// scheduler_config.json or weights.
bool is_pipeline(const std::filesystem::path& folder);

// Opens either layout, its weights single or sharded safetensors (the variant fp16 too) or diffusion_pytorch_model.bin; or a single
// .safetensors file as write_pipeline_file leaves it. model_index.json is not needed.
Pipeline open_pipeline(const std::filesystem::path& path);

// Says so, for who is about to draw with it, when a pipeline came without a scheduler.
void warn_of_default_scheduler(const Pipeline& pipeline);

// The network of a pipeline with its weights, on the CPU in float32, in evaluation mode. user_error: tensors that do not
// fit, values that are not finite.
std::shared_ptr<UNet2D> load_unet(const Pipeline& pipeline, const Kernels& kernels = plain_kernels());

// Writes model_index.json, scheduler/ and unet/ into an existing folder, as DDPMPipeline.save_pretrained does.
void write_pipeline(const std::filesystem::path& folder, const UNetConfig& unet, const SchedulerConfig& scheduler,
                    const NamedTensors& weights);

// The same as one .safetensors file, whose __metadata__ holds both configurations as JSON text.
void write_pipeline_file(const std::filesystem::path& path, const UNetConfig& unet, const SchedulerConfig& scheduler,
                         const NamedTensors& weights);

}  // namespace ddpm
