#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ddpm/core/options.h"
#include "ddpm/diffusion/loss_options.h"

namespace ddpm {

// The section `train` of a configuration. train_fields() has the meaning, unit and range of each key.
struct TrainOptions : LossOptions {
    int64_t steps = 20000;
    int64_t batch_size = 64;
    int64_t gradient_accumulation_steps = 1;
    std::string optimizer = "adamw";
    double learning_rate = 2e-4;
    double adam_beta1 = 0.9;
    double adam_beta2 = 0.999;
    double adam_epsilon = 1e-8;
    double weight_decay = 0.0;
    std::string lr_schedule = "constant";
    int64_t warmup_steps = 500;
    double ema_decay = 0.9999;
    bool ema_warmup = true;
    std::vector<double> ema_widths{};
    double clip_grad_norm = 1.0;
    std::string precision = "fp32";
    bool gradient_checkpointing = false;
    double class_dropout = 0.0;
    double input_perturbation = 0.0;
    double noise_offset = 0.0;
    int64_t nonfinite_patience = 5;
    int64_t max_rollbacks = 3;
    double rollback_lr_factor = 0.5;
    double spike_threshold = 8.0;
    int64_t checkpoint_every = 1000;
    int64_t keep_last = 3;
    int64_t keep_every = 0;
    int64_t validate_every = 1000;
    int64_t sample_every = 1000;
    int64_t sample_images = 16;
    int64_t sample_steps = 20;
    int64_t log_every = 50;
    double heartbeat_seconds = 60;
    bool tensorboard = false;
};

const FieldTable<TrainOptions>& train_fields();

// Throws a user_error if keys of the section contradict each other. It does not check the ranges of single keys.
void check(const TrainOptions& options);

}  // namespace ddpm
