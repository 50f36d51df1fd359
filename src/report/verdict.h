#pragma once

#include <string>

#include "ddpm/report/report_page.h"

namespace ddpm::report {

// Returns in plain sentences what the numbers say of a run at unix time `now`: how far it is, its loss, the loss on held-out images and
// whether that rises, the best checkpoint, what went wrong.
std::string verdict_of(const ReportRun& run, double now);

// The step at which the run ends by its configuration, or 0 if that is unknown.
int64_t planned_steps(const ReportRun& run);

}  // namespace ddpm::report
