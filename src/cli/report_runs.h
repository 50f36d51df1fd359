#pragma once

#include <string>
#include <vector>

#include "ddpm/report/report_page.h"

namespace ddpm::cli {

// Refuses with a user_error what is no run, one run twice, and more runs than a page takes.
void check_report_runs(const std::vector<std::string>& folders);

// Reads what a page says of the runs. A run that is training meanwhile is read as it stands.
std::vector<ReportRun> read_report_runs(const std::vector<std::string>& folders);

// Returns a text that differs when a file of the runs that the page shows has changed.
std::string stamp_of_runs(const std::vector<std::string>& folders);

}  // namespace ddpm::cli
