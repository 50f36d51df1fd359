#pragma once

#include <vector>

#include "ddpm/image/image.h"
#include "ddpm/report/metrics.h"

namespace ddpm {

// The losses of a run over its steps: as measured (faint) and smoothed; logarithmic when they fell to a small part of where
// they began. A loss that is not finite is a gap.
Image draw_loss_curve(const std::vector<LossPoint>& losses);

}  // namespace ddpm
