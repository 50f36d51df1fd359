#pragma once

#include <cstdint>

namespace ddpm {

// Returns the decay of the update after n = `updates_done` earlier ones: `decay`, or with `warmup` min(decay, (1+n)/(10+n)),
// and 0 for the first update, which copies the weights. diffusers' EMAModel has the same rule.
double ema_decay_at(int64_t updates_done, double decay, bool warmup);

}  // namespace ddpm
