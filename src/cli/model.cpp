#include "cli/model.h"

#include <algorithm>

#include <spdlog/fmt/fmt.h>

#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/checkpoint/load.h"
#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/nn/unet.h"
#include "ddpm/run/resolve.h"
#include "ddpm/run/run_folder.h"
#include "ddpm/sampling/sampler.h"

namespace ddpm {

SampleOptions sampling_of(const SchedulerConfig& scheduler) {
    SampleOptions options;
    options.sampler = scheduler.class_name == "DDIMScheduler" ? "ddim" : "ancestral";
    options.variance = name_of(variance_type(scheduler));
    options.clip = scheduler.clip_sample;
    options.clip_range = scheduler.clip_sample_range;
    options.timestep_spacing = scheduler.timestep_spacing;
    options.steps_offset = scheduler.steps_offset;
    return options;
}

void check_times(const ResolvedSampling& settings, const LoadedModel& model) {
    const std::vector<int64_t>& times = settings.timesteps;
    if (model.network->config().time_embedding_type == "fourier" && std::find(times.begin(), times.end(), 0) != times.end())
        user_error(model.source + ": its Fourier embedding takes the logarithm of t, and these steps end at t = 0",
                   "--spacing trailing with fewer steps ends above it");
}

int64_t LoadedModel::classes() const {
    if (!class_names.empty()) return static_cast<int64_t>(class_names.size());
    return network->config().num_class_embeds.value_or(0);
}

void check_variance(VarianceType variance, const LoadedModel& model) {
    if (variance == VarianceType::learned_range && !model.predicts_variance)
        user_error("--variance: learned_range is for a network that predicts a variance, this one doesn't; expected " +
                   join(fixed_variance_type_names()));
}

LoadedModel load_model(const std::string& path, const std::string& weights, const Runtime& runtime, const Kernels& kernels) {
    const std::filesystem::path folder = resolve_checkpoint(path, weights == "raw" ? Extent::raw : Extent::drawing);
    const Pipeline pipeline = open_pipeline(folder);
    warn_of_default_scheduler(pipeline);
    if (!pipeline.unet.sample_size)
        user_error(folder.string() + ": unet/config.json: sample_size is missing, so the size of the pictures is unknown; add it there");
    for (const int64_t side : *pipeline.unet.sample_size)
        if (side % pipeline.unet.size_divisor() != 0)
            user_error(fmt::format("{}: sample_size is {}, no multiple of {}, which the {} levels of the network need; this program "
                                   "does not pad",
                                   folder.string(), fmt::join(*pipeline.unet.sample_size, "×"), pipeline.unet.size_divisor(),
                                   pipeline.unet.levels()));
    const bool predicts_variance = variance_type(pipeline.scheduler) == VarianceType::learned_range;
    const int64_t expected_out = pipeline.unet.in_channels * (predicts_variance ? 2 : 1);
    if (pipeline.unet.out_channels != expected_out)
        user_error(fmt::format("{}: the U-Net has {} channels in and {} out, expected {} with the scheduler's variance_type {}",
                               folder.string(), pipeline.unet.in_channels, pipeline.unet.out_channels, expected_out,
                               pipeline.scheduler.variance_type));
    if (pipeline.unet.class_embed_type == "identity")
        user_error(folder.string() + ": unet/config.json: class_embed_type is \"identity\": it wants a vector for a label, which this "
                                     "program can't be given; expected null or timestep");
    if (pipeline.unet.time_embedding_type == "learned" &&
        pipeline.scheduler.num_train_timesteps > pipeline.unet.num_train_timesteps.value_or(0))
        user_error(fmt::format("{}: the scheduler has {} timesteps, but the U-Net's learned embedding only {} (num_train_timesteps)",
                               folder.string(), pipeline.scheduler.num_train_timesteps,
                               pipeline.unet.num_train_timesteps.value_or(0)));
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
    const std::shared_ptr<UNet2D> network = load_unet(pipeline, kernels);
    if (weights == "raw") load_module(training_weights(folder), *network);
    move_to(*network, runtime.device);
    return {folder.string(),
            network,
            make_schedule(pipeline.scheduler),
            parse_prediction_type(pipeline.scheduler.prediction_type),
            predicts_variance,
            sampling,
            (*pipeline.unet.sample_size)[0],
            (*pipeline.unet.sample_size)[1],
            class_names};
}

}  // namespace ddpm
