#pragma once

#include <vector>

#include "ddpm/image/image.h"
#include "ddpm/report/metrics.h"

namespace ddpm {

// Draws the losses of a run over its steps, as measured (faint) and smoothed. The axis is logarithmic if the losses, outliers
// left out, span more than a factor of five. A loss that is not finite leaves a gap.
Image draw_loss_curve(const std::vector<LossPoint>& losses);

}  // namespace ddpm
