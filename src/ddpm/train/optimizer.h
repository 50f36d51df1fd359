#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/kernels/kernels.h"
#include "ddpm/train/options.h"

namespace ddpm {

// Adam or AdamW (ddpm/kernels/adam.h) over a fixed list of named float32 parameters, the moving average of the parameters, and
// their averages of train.ema_widths (ddpm/run/power_ema.h). It changes all of them in place.
class Optimizer {
public:
    using Named = std::vector<std::pair<std::string, at::Tensor>>;

    // `averages` has one tensor for each parameter, of its shape and in the same order, or is empty. The optimizer shares the
    // storage of all tensors. The averages of train.ema_widths are its own, float32 on the device of the parameters, whose copies
    // they are at first. `kernels` must outlive it.
    Optimizer(const Named& parameters, std::vector<at::Tensor> averages, const TrainOptions& options,
              const Kernels& kernels = plain_kernels());

    void zero_grad();

    // Returns the gradient of every parameter, sharing its storage. If a parameter has none, a runtime_failure names it.
    std::vector<at::Tensor> gradients() const;

    // Returns the joint L2 norm of the gradients. If it is larger than `max_norm`, the next step scales the gradients down to
    // that norm; a max_norm of 0 never does.
    double clip_grad_norm(double max_norm);

    // Makes one update with the gradients that the parameters hold; every parameter must have one. The averages follow with the
    // decay `ema_decay` (ema.h), those of train.ema_widths with power_ema_decay of steps_done().
    void step(double learning_rate, double ema_decay);

    int64_t steps_done() const { return steps_done_; }
    void set_steps_done(int64_t steps) { steps_done_ = steps; }

    // Returns both moments of every parameter ("exp_avg.NAME", "exp_avg_sq.NAME") and its averages of train.ema_widths
    // ("average.0.05.NAME"). They share storage with the optimizer, so that they can be saved and also loaded in place.
    Named state() const;

    // Returns the average of train.ema_widths[i] under the parameters' names, sharing its storage.
    Named average(size_t i) const;

private:
    std::vector<std::string> names_;
    std::vector<at::Tensor> parameters_, averages_, exp_avg_, exp_avg_sq_;
    std::vector<double> powers_;                           // γ of each of train.ema_widths
    std::vector<std::vector<at::Tensor>> power_averages_;  // one of each parameter for each of them
    int64_t steps_done_ = 0;
    double gradient_scale_ = 1;
    TrainOptions options_;
    const Kernels* kernels_;
};

}  // namespace ddpm
