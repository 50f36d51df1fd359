#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "ddpm/train/options.h"

namespace ddpm {

// Adam (arXiv 1412.6980) and AdamW (arXiv 1711.05101) over a fixed list of named float32 parameters, by LibTorch's
// fused kernels: one pass over each parameter. Parameters are changed in place.
class Optimizer {
public:
    using Named = std::vector<std::pair<std::string, at::Tensor>>;

    Optimizer(Named parameters, const TrainOptions& options);

    void zero_grad();

    // Scales the gradients down to `max_norm` when their joint L2 norm is larger (max_norm 0: never) and returns the
    // norm before that.
    double clip_grad_norm(double max_norm);

    // One update with the gradients that the parameters hold; all of them must have one.
    void step(double learning_rate);

    int64_t steps_done() const { return steps_done_; }
    void set_steps_done(int64_t steps) { steps_done_ = steps; }

    // Both moments of every parameter ("exp_avg.NAME", "exp_avg_sq.NAME"): share storage with the optimizer, so that
    // they serve for saving and for loading in place.
    Named state() const;

private:
    std::vector<std::string> names_;
    std::vector<at::Tensor> parameters_, exp_avg_, exp_avg_sq_;
    std::vector<at::Tensor> step_counts_;  // the same scalar for every parameter
    int64_t steps_done_ = 0;
    TrainOptions options_;

    std::vector<at::Tensor> gradients() const;
};

}  // namespace ddpm
