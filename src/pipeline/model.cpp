#include "ddpm/pipeline/model.h"

#include <utility>

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/checkpoint/load.h"
#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/nn/unet.h"
#include "ddpm/run/rebuild.h"
#include "ddpm/run/resolve.h"
#include "ddpm/run/run_folder.h"

namespace ddpm {

c10::Device Model::device() const { return network->parameters().front().device(); }

int64_t Model::channels() const { return network->config().in_channels; }

bool Model::has_classes() const { return network->config().has_classes(); }

int64_t Model::classes() const {
    if (!class_names.empty()) return static_cast<int64_t>(class_names.size());
    return network->config().num_class_embeds.value_or(0);
}

std::optional<int64_t> Model::empty_label() const {
    const std::optional<int64_t> rows = network->config().num_class_embeds;
    if (!rows || !config.is_object()) return std::nullopt;
    const Json train = config.value("train", Json::object());
    return train.value("class_dropout", 0.0) > 0 ? std::optional(*rows - 1) : std::nullopt;
}

SampleOptions sampling_of(const SchedulerConfig& scheduler) {
    SampleOptions options;
    options.sampler = scheduler.class_name == "DDIMScheduler" ? "ddim" : "ancestral";
    options.variance = name_of(variance_type(scheduler));
    options.clip = scheduler.clip_sample;
    options.clip_range = scheduler.clip_sample_range;
    if (scheduler.thresholding) {
        options.threshold_ratio = scheduler.dynamic_thresholding_ratio;
        options.threshold_max = scheduler.sample_max_value;
    }
    options.timestep_spacing = scheduler.timestep_spacing;
    options.steps_offset = scheduler.steps_offset;
    return options;
}

void check_variance(VarianceType variance, const Model& model) {
    if (variance == VarianceType::learned_range && !model.predicts_variance)
        key_error("sample.variance", "learned_range is for a network that predicts a variance, this one doesn't; expected " +
                                         join(fixed_variance_type_names()));
}

namespace {

// Refuses U-Nets that open_pipeline opens, but this program can't sample from.
void check_can_sample(const Pipeline& pipeline) {
    const std::string source = pipeline.folder.string();
    const UNetConfig& unet = pipeline.unet;
    if (!unet.sample_size)
        user_error(source + ": unet/config.json: sample_size is missing, so the size of the pictures is unknown; add it there");
    for (const int64_t side : *unet.sample_size)
        if (side % unet.size_divisor() != 0)
            user_error(
                fmt::format("{}: sample_size is {}, no multiple of {}, which the {} levels of the network need; this program "
                            "does not pad",
                            source, fmt::join(*unet.sample_size, "×"), unet.size_divisor(), unet.levels()));
    const bool predicts_variance = variance_type(pipeline.scheduler) == VarianceType::learned_range;
    const int64_t expected_out = unet.in_channels * (predicts_variance ? 2 : 1);
    if (unet.out_channels != expected_out)
        user_error(fmt::format("{}: the U-Net has {} channels in and {} out, expected {} with the scheduler's variance_type {}",
                               source, unet.in_channels, unet.out_channels, expected_out, pipeline.scheduler.variance_type));
    if (unet.class_embed_type == "identity")
        user_error(source +
                   ": unet/config.json: class_embed_type is \"identity\": it wants a vector for a label, which this "
                   "program can't be given; expected null or timestep");
    if (unet.time_embedding_type == "learned" && pipeline.scheduler.num_train_timesteps > unet.num_train_timesteps.value_or(0))
        user_error(
            fmt::format("{}: the scheduler has {} timesteps, but the U-Net's learned embedding only {} (num_train_timesteps)",
                        source, pipeline.scheduler.num_train_timesteps, unet.num_train_timesteps.value_or(0)));
}

// `folder` is a checkpoint, a pipeline or a single file.
Model open_resolved(const std::filesystem::path& folder, const OpenOptions& options) {
    const bool raw = options.weights == "raw";
    if (raw && (is_rebuilt(folder) || (!has_training(folder) && !has_raw_beside_average(folder))))
        user_error(folder.string() + ": has no raw weights, only what it was saved with; leave --weights out");
    const Pipeline pipeline = open_pipeline(folder, {.raw = raw});
    warn_of_default_scheduler(pipeline);
    check_can_sample(pipeline);
    SampleOptions sampling = sampling_of(pipeline.scheduler);
    std::vector<std::string> class_names;
    Json config;
    double noise_offset = 0;
    if (has_training(folder)) {
        SampleOptions section;
        config = training_config(folder);
        if (config.contains("sample")) sample_fields().read_written(section, config["sample"], folder.string() + ": sample");
        sampling = filled_from(section, sampling);
        if (const Json train = config.value("train", Json::object()); train.contains("noise_offset"))
            noise_offset = read_number(train["noise_offset"], folder.string() + ": train.noise_offset", Range::at_least(0));
        class_names = training_label_names(folder);
    }
    const Kernels& kernels = options.kernels != nullptr ? *options.kernels : kernels_named("fast", "kernels");
    const std::shared_ptr<UNet2D> network = load_unet(pipeline, kernels);
    if (raw && has_training(folder)) {
        load_module(training_weights(folder), *network);
        check_weights(named_tensors(*network), training_weights(folder).path().string());
    }
    move_to(*network, options.device);
    return {folder.string(),
            network,
            make_schedule(pipeline.scheduler),
            parse_prediction_type(pipeline.scheduler.prediction_type),
            variance_type(pipeline.scheduler) == VarianceType::learned_range,
            sampling,
            (*pipeline.unet.sample_size)[0],
            (*pipeline.unet.sample_size)[1],
            class_names,
            config,
            noise_offset};
}

}  // namespace

namespace {

// Opens the run's checkpoint and puts the average of options.ema_width in place of its weights.
Model open_average(const std::filesystem::path& run, OpenOptions options) {
    if (options.weights == "raw") key_error("ema_width", "asks for an average, and raw weights are none; give one of both");
    const double width = *std::exchange(options.ema_width, std::nullopt);
    const std::optional<int64_t> step = std::exchange(options.ema_step, std::nullopt);
    const c10::Device device = std::exchange(options.device, c10::Device(c10::kCPU));
    return with_rebuild(run, width, "ema_width", step, "ema_step", [&](const Rebuild& rebuild) {
        Model model = Model::open(run, options);
        rebuild_into(rebuild, named_tensors(*model.network));
        spdlog::info("{}: {}", run.string(), describe(rebuild));
        warn_of_error(rebuild);
        model.source = run.string();
        model.ema_step = rebuild.step;
        check_weights(named_tensors(*model.network), fmt::format("{}: the average", run.string()));
        move_to(*model.network, device);
        return model;
    });
}

}  // namespace

Model Model::open(const std::filesystem::path& path, const OpenOptions& options) {
    if (options.ema_width) return open_average(path, options);
    if (options.ema_step)
        key_error("ema_step", "says at which step an average is taken, but no ema_width says of which; give both");
    return with_checkpoint(path, options.weights == "raw" ? NeededFiles::raw : NeededFiles::drawing,
                           [&](const std::filesystem::path& folder) { return open_resolved(folder, options); });
}

}  // namespace ddpm
