#pragma once

#include <string>
#include <vector>

#include "ddpm/report/report_page.h"

namespace ddpm::report {

// Returns the curves of training as HTML: loss, held-out loss, also by t, learning rate, norm of the gradient, images per second.
// Spikes, rollbacks and the end of a run that gave up are marked.
std::string training_plots(const std::vector<ReportRun>& runs);

// Returns one plot for each measure of sample quality, with ± one standard deviation and its floor; "" if there is none.
std::string quality_plots(const std::vector<ReportRun>& runs);

}  // namespace ddpm::report
