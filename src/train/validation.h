#pragma once

#include <cstdint>

#include "ddpm/diffusion/schedule.h"
#include "ddpm/train/events.h"
#include "ddpm/train/trainer.h"

namespace ddpm::train {

// The loss on held-out pictures, each at one t with one noise that never change: what differs between two measurements
// is the network alone. The t are spread over bins of equal width, 0 … T−1 cut into timestep_bins() of them; picture i
// belongs to bin i mod bins, where its t is uniform. With fewer pictures than bins some serve several.
class Validation {
public:
    // `job.held_out` must be there. The arguments must outlive the object.
    Validation(const TrainJob& job, const NoiseSchedule& schedule);

    using Losses = events::HeldOutLoss;
    // Without dropout and with every label. Leaves the network's mode as it was.
    Losses measure(UNet2D& network) const;

    int64_t timestep_bins() const { return bins_; }

private:
    // First t of a bin; of `bins_` it is T.
    int64_t bin_begin(int64_t bin) const;

    const TrainJob& job_;
    const NoiseSchedule& schedule_;
    int64_t bins_, draws_;  // draws_: pictures looked at, a multiple of bins_
};

}  // namespace ddpm::train
