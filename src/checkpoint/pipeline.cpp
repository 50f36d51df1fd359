#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/nn/unet.h"

namespace ddpm {

namespace {

constexpr const char* kWeights = "diffusion_pytorch_model.safetensors";
constexpr const char* kWeightsIndex = "diffusion_pytorch_model.safetensors.index.json";
constexpr const char* kPickledWeights = "diffusion_pytorch_model.bin";

struct Layout {
    fs::path unet, scheduler;  // folders
};

bool is_file(const fs::path& path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored);
}

bool fits(const Layout& layout) {
    return is_file(layout.unet / "config.json") && is_file(layout.scheduler / "scheduler_config.json");
}

Layout usual(const fs::path& folder) {
    return {folder / "unet", folder / "scheduler"};
}
Layout at_root(const fs::path& folder) {
    return {folder, folder};
}  // google/ddpm-*

fs::path find_weights(const fs::path& unet) {
    for (const char* name : {kWeights, kWeightsIndex})
        if (is_file(unet / name)) return unet / name;
    if (is_file(unet / kPickledWeights))
        user_error(fmt::format("{}: a pickle can run any code and is not opened; expected {}",
                               (unet / kPickledWeights).string(), kWeights),
                   "save it again from Python with safe_serialization=True");
    user_error(fmt::format("{}: no weights, expected {} or {}", unet.string(), kWeights, kWeightsIndex));
}

}  // namespace

bool is_pipeline(const fs::path& folder) {
    return fits(usual(folder)) || fits(at_root(folder));
}

Pipeline open_pipeline(const fs::path& folder) {
    if (!is_pipeline(folder))
        user_error(
            fmt::format("{}: not a diffusers pipeline, expected unet/config.json and "
                        "scheduler/scheduler_config.json in it, or both files at its root",
                        folder.string()));
    const Layout layout = fits(usual(folder)) ? usual(folder) : at_root(folder);
    const fs::path unet = layout.unet / "config.json", scheduler = layout.scheduler / "scheduler_config.json";
    Pipeline pipeline;
    pipeline.folder = folder;
    pipeline.unet = unet_from_json(read_json_file(unet), unet.string());
    pipeline.scheduler = scheduler_from_json(read_json_file(scheduler), scheduler.string());
    pipeline.weights = std::make_shared<const WeightSource>(find_weights(layout.unet));
    return pipeline;
}

std::shared_ptr<UNet2D> load_unet(const Pipeline& pipeline) {
    auto unet = std::make_shared<UNet2D>(pipeline.unet);
    load_module(*pipeline.weights, *unet);
    unet->eval();
    return unet;
}

void write_pipeline(const fs::path& folder, const UNetConfig& unet, const SchedulerConfig& scheduler,
                    const NamedTensors& weights) {
    make_folders(folder / "scheduler");
    make_folders(folder / "unet");
    Json index = Json::object();
    index["_class_name"] = scheduler.class_name == "DDIMScheduler" ? "DDIMPipeline" : "DDPMPipeline";
    index["_diffusers_version"] = kDiffusersVersion;
    index["scheduler"] = {"diffusers", scheduler.class_name};
    index["unet"] = {"diffusers", "UNet2DModel"};
    write_file(folder / "model_index.json", dump_json(index));
    write_file(folder / "scheduler" / "scheduler_config.json", dump_json(scheduler_to_json(scheduler)));
    write_file(folder / "unet" / "config.json", dump_json(unet_to_json(unet)));
    write_safetensors(folder / "unet" / kWeights, weights);
}

}  // namespace ddpm
