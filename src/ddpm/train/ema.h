#pragma once

#include <cstdint>

namespace ddpm {

// The decay of the update that follows `updates_done` earlier ones: `decay`, or while warming up
// min(decay, (1+n)/(10+n)), where the first update (n = 0) copies (diffusers' EMAModel).
double ema_decay_at(int64_t updates_done, double decay, bool warmup);

}  // namespace ddpm
