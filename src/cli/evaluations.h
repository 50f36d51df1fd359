#pragma once

#include <functional>
#include <vector>

#include "cli/app.h"

namespace ddpm::cli {

// What `ddpm eval` can measure, each a subcommand of its own.
const std::vector<Verb>& evaluations();

std::function<int()> add_eval_bpd(CLI::App& command);

}  // namespace ddpm::cli
