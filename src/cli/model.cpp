#include "cli/model.h"

#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/checkpoint/load.h"
#include "ddpm/checkpoint/run_folder.h"
#include "ddpm/core/error.h"
#include "ddpm/nn/unet.h"

namespace ddpm {

namespace {

// What a scheduler_config.json says about sampling.
SampleOptions sampling_of(const SchedulerConfig& scheduler) {
    SampleOptions options;
    options.sampler = scheduler.class_name == "DDIMScheduler" ? "ddim" : "ancestral";
    options.variance = variance_type(scheduler) == VarianceType::fixed_small ? "fixed_small" : "fixed_large";
    options.clip = scheduler.clip_sample;
    options.clip_range = scheduler.clip_sample_range;
    options.timestep_spacing = scheduler.timestep_spacing;
    options.steps_offset = scheduler.steps_offset;
    return options;
}

}  // namespace

int64_t LoadedModel::classes() const {
    if (!class_names.empty()) return static_cast<int64_t>(class_names.size());
    return network->config().num_class_embeds.value_or(0);
}

LoadedModel load_model(const std::string& path, const std::string& weights, const Runtime& runtime) {
    const std::filesystem::path folder = resolve_checkpoint(path);
    const Pipeline pipeline = open_pipeline(folder);
    if (!pipeline.unet.sample_size)
        user_error(folder.string() + ": unet/config.json: sample_size is missing, so the size of the pictures is unknown; add it there");
    SampleOptions sampling = sampling_of(pipeline.scheduler);
    std::vector<std::string> class_names;
    if (has_training(folder)) {
        SampleOptions section;
        const Json config = training_config(folder);
        if (config.contains("sample")) sample_fields().read(section, config["sample"], folder.string() + ": sample");
        sampling = filled_from(section, sampling);
        class_names = training_label_names(folder);
    } else if (weights == "raw") {
        user_error(folder.string() + ": has no raw weights, only what it was saved with; leave --weights out");
    }
    const std::shared_ptr<UNet2D> network = load_unet(pipeline);
    if (weights == "raw") load_module(training_weights(folder), *network);
    network->to(runtime.device);
    return {folder.string(),
            network,
            make_schedule(pipeline.scheduler),
            parse_prediction_type(pipeline.scheduler.prediction_type),
            sampling,
            (*pipeline.unet.sample_size)[0],
            (*pipeline.unet.sample_size)[1],
            class_names};
}

}  // namespace ddpm
