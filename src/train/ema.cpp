#include "ddpm/train/ema.h"

#include <algorithm>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_lerp.h>

namespace ddpm {

double ema_decay_at(int64_t updates_done, double decay, bool warmup) {
    if (!warmup) return decay;
    if (updates_done == 0) return 0.0;
    const auto n = static_cast<double>(updates_done);
    return std::min(decay, (1.0 + n) / (10.0 + n));
}

void update_ema(const std::vector<at::Tensor>& averages, const std::vector<at::Tensor>& parameters, double decay) {
    const at::NoGradGuard no_grad;
    at::_foreach_lerp_(averages, parameters, 1.0 - decay);
}

}  // namespace ddpm
