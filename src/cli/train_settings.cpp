#include "cli/train_settings.h"

#include <spdlog/spdlog.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"
#include "ddpm/run/run_folder.h"
#include "ddpm/train/run_config.h"

namespace ddpm::cli {

namespace {

// Refuses networks that can only be sampled from and not trained.
void check_trainable(const Config& config) {
    if (config.model.time_embedding_type == "fourier")
        key_error("model.time_embedding_type",
                  "\"fourier\" takes the logarithm of noise levels, and t begins at 0 here; such networks can "
                  "be sampled from, but not trained; expected positional or learned");
    if (config.model.time_embedding_type == "learned" && config.model.num_train_timesteps.value_or(0) < config.diffusion.timesteps)
        key_error("model.num_train_timesteps",
                  fmt::format("{} rows of the learned time embedding, expected diffusion.timesteps = {}",
                              config.model.num_train_timesteps.value_or(0), config.diffusion.timesteps));
}

}  // namespace

Config begun_config(const GivenConfig& given) {
    const Config defaults, config = put_over(defaults, given);
    check_config(config, given, given.file);
    check_trainable(config);
    return config;
}

Config continued_config(const GivenConfig& given, const std::filesystem::path& checkpoint) {
    const Config before = read_kept_config(training_config(checkpoint), checkpoint.string());
    Config config = put_over(before, given);
    if (config.train.precision == "auto") {
        config.train.precision = before.train.precision;
        spdlog::info("train.precision auto: {}, as this run was begun", config.train.precision);
    }
    const ResumeChanges changes = judge_changes(write_config(before), write_config(config), describe_config());
    if (!changes.refused.empty())
        user_error("--resume: the run was begun with other settings: " + join(changes.refused),
                   "set them back, or train into another folder with --out");
    check_config(config, given, checkpoint.string());
    check_trainable(config);
    for (const std::string& warning : changes.warnings) spdlog::warn(warning);
    return config;
}

void settle_precision(TrainOptions& options, const Kernels& kernels, const Runtime& runtime) {
    if (options.precision != "auto") return;
    options.precision = settle_precision("auto", kernels, runtime.device.is_cpu());
    spdlog::info("train.precision auto: {} on this machine", options.precision);
}

}  // namespace ddpm::cli
