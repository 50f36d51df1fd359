#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "ddpm/checkpoint/load.h"
#include "ddpm/checkpoint/safetensors.h"
#include "ddpm/checkpoint/scheduler.h"
#include "ddpm/diffusion/schedule.h"
#include "ddpm/kernels/kernels.h"
#include "ddpm/nn/options.h"

namespace ddpm {

class UNet2D;

// The schedule of a scheduler, in float64 (diffusers' own tables are float32).
NoiseSchedule make_schedule(const SchedulerConfig& config);

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
