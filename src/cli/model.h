#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ddpm/core/runtime.h"
#include "ddpm/diffusion/posterior.h"
#include "ddpm/diffusion/prediction.h"
#include "ddpm/diffusion/schedule.h"
#include "ddpm/kernels/kernels.h"
#include "ddpm/sampling/options.h"

namespace ddpm {

class UNet2D;
struct ResolvedSampling;
struct SchedulerConfig;

// A checkpoint, ready to draw from.
struct LoadedModel {
    std::string source;  // the folder it came from
    std::shared_ptr<UNet2D> network;
    NoiseSchedule schedule;
    PredictionType prediction_type;
    bool predicts_variance;  // its output has twice the channels of a picture
    SampleOptions sampling;  // what the checkpoint itself says: its `sample` section, else its scheduler
    int64_t height, width;
    std::vector<std::string> class_names;  // as the data set had them; empty for others' models

    // Labels that stand for something (the empty label of guidance does not).
    int64_t classes() const;
};

// What a scheduler_config.json says about sampling.
SampleOptions sampling_of(const SchedulerConfig& scheduler);

// learned_range for a network that predicts no variance is a user_error.
void check_variance(VarianceType variance, const LoadedModel& model);

// Times that the network can't be asked for are a user_error.
void check_times(const ResolvedSampling& settings, const LoadedModel& model);

// `path`: what resolve_checkpoint accepts. `weights`: ema, or raw for a
// checkpoint of ours.
LoadedModel load_model(const std::string& path, const std::string& weights, const Runtime& runtime, const Kernels& kernels);

}  // namespace ddpm
