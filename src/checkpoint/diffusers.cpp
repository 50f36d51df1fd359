#include <cmath>
#include <map>

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include "checkpoint/outer_names.h"
#include "ddpm/checkpoint/describe.h"
#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/checkpoint/unet_json.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/options.h"
#include "ddpm/core/text.h"
#include "ddpm/nn/unet.h"

namespace ddpm {

namespace {

constexpr const char* kWeights = "diffusion_pytorch_model.safetensors";
constexpr const char* kWeightsIndex = "diffusion_pytorch_model.safetensors.index.json";
// The names are in the order of preference: full precision, then what save_pretrained(variant="fp16") writes.
constexpr const char* kWeightNames[] = {kWeights,
                                        kWeightsIndex,
                                        "diffusion_pytorch_model.bin",
                                        "diffusion_pytorch_model.bin.index.json",
                                        "diffusion_pytorch_model.fp16.safetensors",
                                        "diffusion_pytorch_model.safetensors.index.fp16.json",
                                        "diffusion_pytorch_model.fp16.bin",
                                        "diffusion_pytorch_model.bin.index.fp16.json"};

constexpr const char* kUNetConfig = "config.json";
constexpr const char* kAverage = "unet_ema";
constexpr const char* kSchedulerConfig = "scheduler_config.json";
// The metadata keys of a single file.
constexpr const char* kUNetKey = "unet_config";
constexpr const char* kSchedulerKey = "scheduler_config";

std::optional<fs::path> find_weights(const fs::path& unet) {
    for (const char* name : kWeightNames)
        if (is_file(unet / name)) return unet / name;
    return std::nullopt;
}

struct Layout {
    fs::path unet;       // folder
    fs::path scheduler;  // file; empty: none there
};

// Without a slash at its end, and with a name if it is ".".
fs::path named(const fs::path& folder) {
    const fs::path whole = fs::absolute(folder).lexically_normal();
    return whole.has_filename() ? whole : whole.parent_path();
}

// The scheduler of a pipeline's folder. That of accelerate's checkpoint-N lies in the folder above, where the whole pipeline is
// written at the end.
fs::path scheduler_in(const fs::path& folder) {
    const fs::path own = folder / "scheduler" / kSchedulerConfig, place = named(folder);
    if (is_file(own)) return own;
    const fs::path above = place.parent_path() / "scheduler" / kSchedulerConfig;
    return place.filename().string().starts_with("checkpoint-") && is_file(above) ? above : fs::path();
}

// The scheduler of a unet/ by itself: beside its config.json, as in google/ddpm-*, or in the pipeline that it belongs to.
fs::path scheduler_of_unet(const fs::path& unet) {
    if (is_file(unet / kSchedulerConfig)) return unet / kSchedulerConfig;
    const fs::path place = named(unet);
    return place.filename() == "unet" || place.filename() == kAverage ? scheduler_in(place.parent_path()) : fs::path();
}

std::optional<Layout> find_layout(const fs::path& folder, bool raw = false) {
    const bool plain = is_file(folder / "unet" / kUNetConfig), average = is_file(folder / kAverage / kUNetConfig);
    const bool takes_average = has_raw_beside_average(folder) ? !raw : average && !plain;
    if (plain || average) return Layout{folder / (takes_average ? kAverage : "unet"), scheduler_in(folder)};
    // google/ddpm-* hold everything at the root. Without a scheduler the folder is a unet/ by itself, and only its
    // weights distinguish it from any other folder with a config.json.
    const Layout root{folder, scheduler_of_unet(folder)};
    if (is_file(folder / kUNetConfig) && (!root.scheduler.empty() || find_weights(folder))) return root;
    return std::nullopt;
}

// Refuses other kinds of pipeline, whose U-Nets would make something other than pictures.
void check_pipeline_class(const fs::path& folder) {
    const fs::path file = folder / "model_index.json";
    if (!is_file(file)) return;
    const Json index = read_json_file(file);
    if (!index.is_object() || !index.contains("_class_name")) return;
    const std::string name = read_text(index["_class_name"], file.string() + ": _class_name");
    if (name != "DDPMPipeline" && name != "DDIMPipeline")
        user_error(fmt::format("{}: {} is not supported, expected DDPMPipeline or DDIMPipeline", file.string(), one_line(name)));
}

// Reads a scheduler_config.json. One of another class may hold -Infinity, which Python writes and JSON does not have.
Json read_scheduler(const fs::path& file) {
    try {
        return read_json_file(file);
    } catch (const Error&) {
        const std::string text = read_file(file, 1 << 20);
        if (text.find("DDPMScheduler") == std::string::npos && text.find("DDIMScheduler") == std::string::npos &&
            text.find("Infinity") != std::string::npos)
            user_error(file.string() + ": another scheduler than DDPMScheduler or DDIMScheduler, which is not supported");
        throw;
    }
}

// Weights with names and a choice among them settled.
std::shared_ptr<const WeightSource> open_weights(const fs::path& file, const std::string& key) {
    auto weights = std::make_shared<WeightSource>(file);
    checkpoint::settle_outer_names(*weights, key);
    return weights;
}

Pipeline open_single_file(const fs::path& path, const std::string& key) {
    const std::string source = path.string();
    Pipeline pipeline;
    pipeline.folder = path;
    pipeline.weights = open_weights(path, key);
    std::map<std::string, std::string> metadata;
    for (const auto& [name, value] : pipeline.weights->metadata()) metadata[name] = value;
    const auto section = [&](const char* name) {
        return parse_json(metadata[name], fmt::format("{}: __metadata__.{}", source, name));
    };
    if (const auto beside = metadata.contains(kUNetKey) ? std::nullopt : config_beside(path)) {
        spdlog::info("{}: weights alone; the network is that of {} beside it", source, kUNetConfig);
        pipeline.unet = unet_from_json(read_json_file(*beside), beside->string());
        const fs::path scheduler = scheduler_of_unet(folder_of(path));
        pipeline.has_scheduler = !scheduler.empty();
        if (pipeline.has_scheduler) pipeline.scheduler = scheduler_from_json(read_scheduler(scheduler), scheduler.string());
        return pipeline;
    }
    if (!metadata.contains(kUNetKey))
        user_error(
            fmt::format("{}: weights alone{}: its __metadata__ has no {}, so the network is unknown", source,
                        pipeline.weights->prefix().empty() ? "" : ", under " + checkpoint::keys_text({pipeline.weights->prefix()}),
                        kUNetKey),
            fmt::format("put it beside its config.json as {} and name that folder; `ddpm convert` writes files that say everything",
                        kWeights));
    pipeline.unet = unet_from_json(section(kUNetKey), source);
    pipeline.has_scheduler = metadata.contains(kSchedulerKey);
    if (pipeline.has_scheduler) pipeline.scheduler = scheduler_from_json(section(kSchedulerKey), source);
    return pipeline;
}

}  // namespace

NoiseSchedule make_schedule(const SchedulerConfig& config) { return NoiseSchedule(make_betas(config)); }

bool is_pipeline(const fs::path& folder) { return find_layout(folder).has_value(); }

bool has_raw_beside_average(const fs::path& folder) {
    return is_file(folder / "unet" / kUNetConfig) && is_file(folder / kAverage / kUNetConfig) &&
           !is_file(folder / "model_index.json");
}

std::optional<fs::path> config_beside(const fs::path& weights) {
    const fs::path file = folder_of(weights) / kUNetConfig;
    if (!is_file(file)) return std::nullopt;
    try {
        const Json json = read_json_file(file);
        return json.is_object() && json.value("_class_name", Json()) == "UNet2DModel" ? std::optional(file) : std::nullopt;
    } catch (const Error&) {
        return std::nullopt;
    }
}

Pipeline open_pipeline(const fs::path& path, const PipelineChoice& choice) {
    if (is_file(path)) return open_single_file(path, choice.key);
    const std::optional<Layout> layout = find_layout(path, choice.raw);
    if (!layout)
        user_error(
            fmt::format("{}: not a diffusers pipeline, expected unet/config.json and "
                        "scheduler/scheduler_config.json in it, or both files at its root",
                        path.string()));
    check_pipeline_class(path);
    const std::optional<fs::path> weights = find_weights(layout->unet);
    if (!weights)
        user_error(fmt::format("{}: no weights, expected {}, {} or diffusion_pytorch_model.bin", layout->unet.string(), kWeights,
                               kWeightsIndex));
    if (has_raw_beside_average(path) && !choice.raw)
        spdlog::info("{}: taking the averaged weights in {}; those beside them in unet are the raw ones", path.string(), kAverage);
    const fs::path unet = layout->unet / kUNetConfig;
    Pipeline pipeline;
    pipeline.folder = path;
    pipeline.unet = unet_from_json(read_json_file(unet), unet.string());
    pipeline.has_scheduler = !layout->scheduler.empty();
    if (pipeline.has_scheduler)
        pipeline.scheduler = scheduler_from_json(read_scheduler(layout->scheduler), layout->scheduler.string());
    pipeline.weights = open_weights(*weights, choice.key);
    return pipeline;
}

void warn_of_default_scheduler(const Pipeline& pipeline) {
    if (!pipeline.has_scheduler)
        spdlog::warn("{}: no {} with it; taking the defaults of diffusers' DDPMScheduler ({})", pipeline.folder.string(),
                     kSchedulerConfig, describe_scheduler(pipeline.scheduler));
}

namespace {

// Refuses a network that its file can't fill, before memory is taken for it. Each resnet has a convolution of 9·C²
// weights.
void check_numbers(const Pipeline& pipeline) {
    double least = 0, there = 0;
    for (const int64_t channels : pipeline.unet.block_out_channels)
        least += 9.0 * static_cast<double>(channels) * static_cast<double>(channels) *
                 static_cast<double>(pipeline.unet.layers_per_block);
    for (const auto& [name, item] : pipeline.weights->items())
        there +=
            static_cast<double>(item.entry.end - item.entry.begin) / static_cast<double>(safetensors_dtype_size(item.entry.dtype));
    if (least > there)
        user_error(
            fmt::format("{}: does not fit the network: it holds {:.0f} numbers, the network that its configuration "
                        "describes more than {:.0f}",
                        pipeline.weights->path().string(), there, least));
}

}  // namespace

void check_weights(const NamedTensors& weights, const std::string& source) {
    constexpr double kPlausible = 65504;  // the largest number of float16, which no network in use comes near
    std::string largest_name;
    double largest = 0;
    for (const auto& [name, tensor] : weights) {
        if (tensor.numel() == 0) continue;
        const double size = tensor.detach().abs().max().to(at::kDouble).item<double>();  // NaN where one of them is
        if (!std::isfinite(size))
            user_error(fmt::format("{}: {} holds values that are not finite: the file is damaged, or its training had diverged",
                                   source, name));
        if (size > largest) {
            largest = size;
            largest_name = name;
        }
    }
    if (largest > kPlausible)
        spdlog::warn(
            "{}: {} holds values as large as {:.3g}, which no trained network has: the file is damaged, or its training had "
            "diverged; pictures will be worthless",
            source, largest_name, largest);
}

std::shared_ptr<UNet2D> load_unet(const Pipeline& pipeline, const Kernels& kernels) {
    check_numbers(pipeline);
    auto unet = std::make_shared<UNet2D>(pipeline.unet, kernels);
    load_module(*pipeline.weights, *unet);
    check_weights(named_tensors(*unet), pipeline.weights->path().string());
    unet->eval();
    return unet;
}

void write_pipeline(const fs::path& folder, const UNetConfig& unet, const SchedulerConfig& scheduler, const NamedTensors& weights) {
    make_folders(folder / "scheduler");
    make_folders(folder / "unet");
    Json index = Json::object();
    index["_class_name"] = scheduler.class_name == "DDIMScheduler" ? "DDIMPipeline" : "DDPMPipeline";
    index["_diffusers_version"] = kDiffusersVersion;
    index["scheduler"] = {"diffusers", scheduler.class_name};
    index["unet"] = {"diffusers", "UNet2DModel"};
    write_file(folder / "model_index.json", dump_json(index));
    write_file(folder / "scheduler" / kSchedulerConfig, dump_json(scheduler_to_json(scheduler)));
    write_file(folder / "unet" / kUNetConfig, dump_json(unet_to_json(unet)));
    write_safetensors(folder / "unet" / kWeights, weights);
}

void write_pipeline_file(const fs::path& path, const UNetConfig& unet, const SchedulerConfig& scheduler,
                         const NamedTensors& weights) {
    write_safetensors(
        path, weights,
        {{"format", "pt"}, {kSchedulerKey, scheduler_to_json(scheduler).dump()}, {kUNetKey, unet_to_json(unet).dump()}});
}

}  // namespace ddpm
