#pragma once

#include <vector>

#include "ddpm/core/json.h"
#include "ddpm/image/image.h"

namespace ddpm {

// The losses of a run's metrics ("step", "loss") over the steps: as measured (faint) and smoothed; logarithmic when they
// fell to a small part of where they began. Lines without a finite loss are gaps.
Image draw_loss_curve(const std::vector<Json>& metrics);

}  // namespace ddpm
