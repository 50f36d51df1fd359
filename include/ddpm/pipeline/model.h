#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <c10/core/Device.h>

#include "ddpm/diffusion/prediction.h"
#include "ddpm/diffusion/schedule.h"
#include "ddpm/sampling/options.h"

namespace ddpm {

class UNet2D;
struct Kernels;
struct SchedulerConfig;

struct OpenOptions {
    std::string weights = "ema";       // or "raw", which only a checkpoint of this program has
    c10::Device device = c10::kCPU;    // where the network is put
    const Kernels* kernels = nullptr;  // null: kernels_named("fast")
};

// A trained network and what has to be known to sample from it. Copies share the network.
struct Model {
    // `path`: a run, a checkpoint, a pipeline folder of diffusers (its unet/ alone too) or a .safetensors file that holds a
    // whole pipeline. user_error: nothing of the kind, damaged files, a network that can't be sampled from.
    static Model open(const std::filesystem::path& path, const OpenOptions& options = {});

    std::string source;  // the folder or file that it came from
    std::shared_ptr<UNet2D> network;
    NoiseSchedule schedule;  // that it was trained with
    PredictionType prediction_type = PredictionType::epsilon;
    bool predicts_variance = false;  // its output has twice the channels of a picture
    SampleOptions sampling;          // what the checkpoint says: its `sample` section, else its scheduler
    int64_t height = 0, width = 0;
    std::vector<std::string> class_names;  // as the data set had them; empty for models of other programs

    c10::Device device() const;  // where the network is
    int64_t channels() const;    // of a picture
    bool has_classes() const;    // whether it has to be told a label
    // How many labels stand for something; the empty label of guidance does not. 0: none, or it is not known.
    int64_t classes() const;
};

// What a scheduler_config.json says about sampling.
SampleOptions sampling_of(const SchedulerConfig& scheduler);

// user_error about sample.variance: learned_range, and the network predicts no variance.
void check_variance(VarianceType variance, const Model& model);

}  // namespace ddpm
