#pragma once

#include <cstdint>

#include "ddpm/diffusion/schedule.h"
#include "ddpm/train/events.h"
#include "ddpm/train/trainer.h"

namespace ddpm::train {

// Measures the loss on held-out pictures. Each picture has one t and one noise that never change, so that two measurements differ
// only in the network. 0 … T−1 is cut into timestep_bins() bins of equal width. Picture i belongs to bin i mod bins, where its t is
// uniform. The pictures are repeated until every bin has equally many, so that some are used for several bins.
class Validation {
public:
    // `job.held_out` must not be null. The arguments must outlive the object.
    Validation(const TrainJob& job, const NoiseSchedule& schedule);

    using Losses = events::HeldOutLoss;
    // Measures without dropout, and drops no label. It leaves the network's mode as it was.
    Losses measure(UNet2D& network) const;

    int64_t timestep_bins() const { return bins_; }

private:
    // Returns the first t of a bin, and T for `bins_`.
    int64_t bin_begin(int64_t bin) const;

    const TrainJob& job_;
    const NoiseSchedule& schedule_;
    int64_t bins_, draws_;  // draws_: evaluations of a picture, a multiple of bins_
};

}  // namespace ddpm::train
