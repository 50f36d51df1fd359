#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <c10/core/Device.h>

#include "ddpm/core/json.h"
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
    // Of a run with train.ema_widths: the average of this width at the newest snapshot, rebuilt in memory from those in ema/. A
    // width that the run kept gives that average to the bit. 0.001 ≤ width < 0.2887; not together with raw weights.
    std::optional<double> ema_width{};
    std::optional<int64_t> ema_step{};  // the same at this step of the run; wants an ema_width
};

// A trained network and everything else that sampling from it needs. Copies share the network.
struct Model {
    // Opens a run, a checkpoint, a pipeline folder of diffusers (or its unet/ alone) or a .safetensors file that holds
    // a whole pipeline. Anything else, damaged files and a network that can't be sampled from are user_errors, and so are an
    // ema_width without a run that has snapshots and an ema_step that these do not reach.
    static Model open(const std::filesystem::path& path, const OpenOptions& options = {});

    std::string source;  // the folder or file that it came from; with an ema_width the run, as it was named
    std::shared_ptr<UNet2D> network;
    NoiseSchedule schedule;  // of the training
    PredictionType prediction_type = PredictionType::epsilon;
    bool predicts_variance = false;  // its output has twice the channels of a picture
    SampleOptions sampling{};        // the checkpoint's: its `sample` section, else its scheduler
    int64_t height = 0, width = 0;
    std::vector<std::string> class_names{};  // as the data set had them; empty for models of other programs
    Json config{};                           // the configuration of its run; null for models of other programs
    double noise_offset = 0;                 // of the training; sampling gives its noise the same (train.noise_offset)
    std::optional<int64_t> ema_step{};       // of the run, whose average was rebuilt at it; set with an ema_width alone

    c10::Device device() const;  // where the network is
    int64_t channels() const;    // of a picture
    bool has_classes() const;    // whether it needs a label
    // The number of labels that name a class; guidance's empty label is not one of them. 0: there are none, or the
    // number is not known.
    int64_t classes() const;
    // The label that training put in the place of dropped ones (train.class_dropout), its last row; guidance needs it. Nothing if
    // there is none, or if it is not known, as of models of other programs.
    std::optional<int64_t> empty_label() const;
};

// Returns the sampling options that a scheduler_config.json states.
SampleOptions sampling_of(const SchedulerConfig& scheduler);

// Throws a user_error about sample.variance if it is learned_range and the network predicts no variance.
void check_variance(VarianceType variance, const Model& model);

}  // namespace ddpm
