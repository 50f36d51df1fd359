#include "ddpm/train/options.h"

#include <algorithm>
#include <cmath>

#include <spdlog/fmt/fmt.h>

#include "ddpm/kernels/adam.h"
#include "ddpm/run/power_ema.h"
#include "ddpm/train/learning_rate.h"

namespace ddpm {

namespace {

constexpr size_t kMostWidths = kMostAverages - 1;  // one is the average of ema_decay
constexpr double kLeastDifference = 0.01;          // of two widths, relative: nearer ones tell nothing more

std::vector<double> read_widths(const Json& value, const std::string& path) {
    if (!value.is_array() || value.size() > kMostWidths)
        wrong_value(value, path, fmt::format("a list of up to {} numbers", kMostWidths));
    std::vector<double> widths;
    for (size_t i = 0; i < value.size(); ++i) {
        const std::string item = fmt::format("{}[{}]", path, i);
        const double width = read_number(value[i], item, {});
        check_ema_width(width, item);
        for (const double other : widths)
            if (std::abs(width - other) < kLeastDifference * std::max(width, other))
                key_error(item, fmt::format("got {} beside {}, expected widths that differ by 1 % or more", width, other));
        widths.push_back(width);
    }
    return widths;
}

}  // namespace

const FieldTable<TrainOptions>& train_fields() {
    using T = TrainOptions;
    static const FieldTable<T> table =
        FieldTable<T>()
            .add("steps", &T::steps, Range::at_least(1), "optimizer steps in all")
            .add("batch_size", &T::batch_size, Range::between(1, 1e6), "images in one forward and backward pass")
            .add("gradient_accumulation_steps", &T::gradient_accumulation_steps, Range::between(1, 1e6),
                 "passes whose gradients are averaged into one optimizer step")
            .choice("optimizer", &T::optimizer, {"adamw", "adam"},
                    "adamw decays weights apart from the gradient, adam adds the decay to it")
            .add("learning_rate", &T::learning_rate, Range::above(0), "after warm-up, before decay")
            .add("adam_beta1", &T::adam_beta1, Range::between(0, 0.999999), "decay of the first moment")
            .add("adam_beta2", &T::adam_beta2, Range::between(0, 0.999999), "decay of the second moment")
            .add("adam_epsilon", &T::adam_epsilon, Range::above(0), "added to the root of the second moment")
            .add("weight_decay", &T::weight_decay, Range::at_least(0), "weight decay")
            .choice("lr_schedule", &T::lr_schedule, learning_rate_schedules(),
                    "how the learning rate goes from the end of warm-up to the last step; cosine and linear end at 0")
            .add("warmup_steps", &T::warmup_steps, Range::at_least(0), "steps over which the learning rate rises linearly")
            .add("ema_decay", &T::ema_decay, Range::between(0, 1), "decay of the moving average of the weights")
            .add("ema_warmup", &T::ema_warmup, "begin with decay min(ema_decay, (1+n)/(10+n)) after n updates")
            .custom(
                {"ema_widths",
                 "list of numbers",
                 {},
                 fmt::format("up to {}, each {}", kMostWidths, ema_width_range()),
                 "widths of further averages, whose snapshots in ema/ let `ddpm ema` make an average of another width or step "
                 "after the training ([0.05, 0.1] in Karras et al. 2024)"},
                [](T& options, const Json& value, const std::string& path) { options.ema_widths = read_widths(value, path); },
                [](const T& options) { return Json(options.ema_widths); })
            .add("clip_grad_norm", &T::clip_grad_norm, Range::at_least(0), "gradients are scaled down to this norm; 0 never does")
            .choice("precision", &T::precision, {"fp32", "bf16", "auto"},
                    "of the network's arithmetic; weights, optimizer, EMA and loss are fp32 always; auto: bf16 where the machine "
                    "multiplies it in one instruction, fp32 elsewhere")
            .add("gradient_checkpointing", &T::gradient_checkpointing,
                 "compute activations again for the gradients instead of keeping them: less memory, a third more time")
            .add("class_dropout", &T::class_dropout, Range::between(0, 1),
                 "probability that a label is replaced by the empty one (for guidance)")
            .include(loss_fields())
            .add(
                "input_perturbation", &T::input_perturbation, Range::between(0, 1),
                "the network sees an x_t with so many times N(0, 1) beside its noise, and is asked for the noise alone (0.1 in Ning "
                "et al. 2023); 0: none")
            .add(
                "noise_offset", &T::noise_offset, Range::between(0, 1),
                "the noise has so many times one N(0, 1) for each picture and channel beside it, in training and in sampling; 0: none; "
                "diffusion.zero_terminal_snr does better")
            .add("nonfinite_patience", &T::nonfinite_patience, Range::at_least(1),
                 "steps without a finite loss and gradient are skipped; so many in a row roll the run back")
            .free_on_resume()
            .add("max_rollbacks", &T::max_rollbacks, Range::at_least(0),
                 "returns to the last good checkpoint, each with other batches and noise, before training gives up")
            .free_on_resume()
            .add("rollback_lr_factor", &T::rollback_lr_factor, Range{1e-6, 1}, "each rollback multiplies the learning rate by it")
            .free_on_resume()
            .add("spike_threshold", &T::spike_threshold, Range::at_least(0),
                 "a loss whose robust z-score over the last 200 steps is above it is warned about; 0: never")
            .free_on_resume()
            .add("checkpoint_every", &T::checkpoint_every, Range::at_least(0), "steps between checkpoints; 0 writes only the last")
            .free_on_resume()
            .add("keep_last", &T::keep_last, Range::at_least(1), "newest checkpoints that are kept")
            .free_on_resume()
            .add("keep_every", &T::keep_every, Range::at_least(0),
                 "checkpoints whose step is a multiple of this stay for good; 0: none")
            .free_on_resume()
            .add("validate_every", &T::validate_every, Range::at_least(0),
                 "steps between measurements on the images of dataset.holdout; 0 measures only at the end")
            .free_on_resume()
            .add("sample_every", &T::sample_every, Range::at_least(0), "steps between sample grids; 0 draws only the last")
            .free_on_resume()
            .add("sample_images", &T::sample_images, Range::between(0, 4096), "pictures in a sample grid; 0 draws none")
            .free_on_resume()
            .add("sample_steps", &T::sample_steps, Range::between(0, 1e6),
                 "steps of dpmpp_2m_sde that draw a sample grid, at most all; 0 draws it as section sample says")
            .free_on_resume()
            .absent_means(0)
            .add("log_every", &T::log_every, Range::at_least(1), "steps over which the shown loss is smoothed")
            .free_on_resume()
            .add("heartbeat_seconds", &T::heartbeat_seconds, Range::at_least(0),
                 "a line with the time goes into the metrics when nothing else has for so long; 0: never")
            .free_on_resume()
            .add("tensorboard", &T::tensorboard,
                 "write the metrics and the sample grids into tensorboard/ of the run too, as `tensorboard --logdir` reads them")
            .free_on_resume();
    return table;
}

void check(const TrainOptions& options) {
    if (options.warmup_steps > options.steps && options.lr_schedule != "constant")
        key_error("train.warmup_steps", fmt::format("{} is more than train.steps ({}), so the {} schedule never begins; "
                                                    "lower warmup_steps",
                                                    options.warmup_steps, options.steps, options.lr_schedule));
}

}  // namespace ddpm
