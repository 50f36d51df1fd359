#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/kernels/kernels.h"
#include "ddpm/train/options.h"

namespace ddpm {

// Adam or AdamW (ddpm/kernels/adam.h) over a fixed list of named float32 parameters, which are changed in place, and the
// moving average of the parameters.
class Optimizer {
public:
    using Named = std::vector<std::pair<std::string, at::Tensor>>;

    // `averages`: as the parameters, or empty.
    Optimizer(const Named& parameters, std::vector<at::Tensor> averages, const TrainOptions& options,
              const Kernels& kernels = plain_kernels());

    void zero_grad();

    // Of every parameter, sharing its storage; a runtime_failure names one that has none.
    std::vector<at::Tensor> gradients() const;

    // The joint L2 norm of the gradients. Where it is larger than `max_norm` the next step takes them scaled down to that
    // (max_norm 0: never).
    double clip_grad_norm(double max_norm);

    // One update with the gradients that the parameters hold; all of them must have one. The averages follow by
    // `ema_decay` (ema.h).
    void step(double learning_rate, double ema_decay);

    int64_t steps_done() const { return steps_done_; }
    void set_steps_done(int64_t steps) { steps_done_ = steps; }

    // Both moments of every parameter ("exp_avg.NAME", "exp_avg_sq.NAME"): share storage with the optimizer, so that
    // they serve for saving and for loading in place.
    Named state() const;

private:
    std::vector<std::string> names_;
    std::vector<at::Tensor> parameters_, averages_, exp_avg_, exp_avg_sq_;
    int64_t steps_done_ = 0;
    double gradient_scale_ = 1;
    TrainOptions options_;
    const Kernels* kernels_;
};

}  // namespace ddpm
