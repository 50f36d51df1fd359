#include "ddpm/train/ema.h"

#include <algorithm>

namespace ddpm {

double ema_decay_at(int64_t updates_done, double decay, bool warmup) {
    if (!warmup) return decay;
    if (updates_done == 0) return 0.0;
    const auto n = static_cast<double>(updates_done);
    return std::min(decay, (1.0 + n) / (10.0 + n));
}

}  // namespace ddpm
