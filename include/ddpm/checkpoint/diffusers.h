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

// Makes the schedule of a scheduler, in float64; diffusers' own tables are float32.
NoiseSchedule make_schedule(const SchedulerConfig& config);

// An open pipeline of diffusers. Its configurations have been read; its weights have been checked, but not read.
struct Pipeline {
    std::filesystem::path folder;  // or the single file
    UNetConfig unet;
    SchedulerConfig scheduler;
    bool has_scheduler = false;  // false: `scheduler` holds diffusers' defaults
    std::shared_ptr<const WeightSource> weights;
};

// Whether the folder looks like a pipeline: it holds unet/config.json, or config.json at its root beside
// scheduler_config.json or weights.
bool is_pipeline(const std::filesystem::path& folder);

// Opens a folder of either layout, or a single .safetensors file that write_pipeline_file has written. The weights in a
// folder are single or sharded safetensors (the variant fp16 too) or diffusion_pytorch_model.bin. A folder needs no
// model_index.json.
Pipeline open_pipeline(const std::filesystem::path& path);

// Logs a warning if a pipeline came without a scheduler, because pictures sampled with diffusers' defaults may be
// wrong.
void warn_of_default_scheduler(const Pipeline& pipeline);

// Builds the network of a pipeline with its weights, on the CPU in float32, in evaluation mode. Tensors that do not fit
// and values that are not finite are user_errors.
std::shared_ptr<UNet2D> load_unet(const Pipeline& pipeline, const Kernels& kernels = plain_kernels());

// Writes model_index.json, scheduler/ and unet/ into an existing folder, as DDPMPipeline.save_pretrained does.
void write_pipeline(const std::filesystem::path& folder, const UNetConfig& unet, const SchedulerConfig& scheduler,
                    const NamedTensors& weights);

// Writes the same as one .safetensors file, whose __metadata__ holds both configurations as JSON text.
void write_pipeline_file(const std::filesystem::path& path, const UNetConfig& unet, const SchedulerConfig& scheduler,
                         const NamedTensors& weights);

}  // namespace ddpm
