#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/checkpoint/load.h"
#include "ddpm/checkpoint/safetensors.h"
#include "ddpm/checkpoint/scheduler.h"
#include "ddpm/core/error.h"
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

// The user's mistake of naming a file that holds several networks where one is expected. Nothing is damaged.
class SeveralNetworks : public Error {
public:
    using Error::Error;
};

// What to take where there is a choice.
struct PipelineChoice {
    bool raw = false;   // of averaged and raw weights side by side the raw ones
    std::string key{};  // the names of the network's tensors begin with "KEY."; empty: that is found
};

// Whether the folder looks like a pipeline: it holds unet/config.json or unet_ema/config.json, or config.json at its root beside
// scheduler_config.json or weights.
bool is_pipeline(const std::filesystem::path& folder);

// Whether a folder holds raw weights beside averaged ones: unet/ and unet_ema/, as diffusers' training scripts leave them in
// checkpoint-N/ by way of accelerate. In a pipeline with a model_index.json unet/ is the network, whatever lies beside it.
bool has_raw_beside_average(const std::filesystem::path& folder);

// The config.json of a UNet2DModel that lies beside a file of weights.
std::optional<std::filesystem::path> config_beside(const std::filesystem::path& weights);

// Opens a folder of either layout, or a single .safetensors file that write_pipeline_file has written or that lies beside the
// config.json of its network. The weights in a folder are single or sharded safetensors or .bin files of torch.save
// (the variant fp16 too). Of averaged and raw weights the averaged ones are taken; names before those of the network
// ("module.", "_orig_mod.", "state_dict.model.") are taken away; both is logged. A folder needs no model_index.json. It throws
// SeveralNetworks for a file that holds more than one, unless the choice names one.
Pipeline open_pipeline(const std::filesystem::path& path, const PipelineChoice& choice = {});

// Logs a warning if a pipeline came without a scheduler, because pictures sampled with diffusers' defaults may be
// wrong.
void warn_of_default_scheduler(const Pipeline& pipeline);

// Weights that are not finite are a user_error that begins with `source`, and implausibly large ones (beyond 65504) cause a
// warning, because nothing else would say why pictures are worthless.
void check_weights(const NamedTensors& weights, const std::string& source);

// Builds the network of a pipeline with its weights, on the CPU in float32, in evaluation mode. Tensors that do not fit
// and values that are not finite are user_errors; see check_weights.
std::shared_ptr<UNet2D> load_unet(const Pipeline& pipeline, const Kernels& kernels = plain_kernels());

// Writes model_index.json, scheduler/ and unet/ into an existing folder, as DDPMPipeline.save_pretrained does.
void write_pipeline(const std::filesystem::path& folder, const UNetConfig& unet, const SchedulerConfig& scheduler,
                    const NamedTensors& weights);

// Writes the same as one .safetensors file, whose __metadata__ holds both configurations as JSON text.
void write_pipeline_file(const std::filesystem::path& path, const UNetConfig& unet, const SchedulerConfig& scheduler,
                         const NamedTensors& weights);

}  // namespace ddpm
