#pragma once

#include <functional>
#include <vector>

#include "cli/app.h"

namespace ddpm::cli {

// The evaluations of `ddpm eval`. Each is a subcommand.
const std::vector<Verb>& evaluations();

std::function<int()> add_eval_bpd(CLI::App& command);
std::function<int()> add_eval_quality(CLI::App& command);
std::function<int()> add_eval_neighbours(CLI::App& command);
std::function<int()> add_eval_sweep(CLI::App& command);
std::function<int()> add_eval_stats(CLI::App& command);

}  // namespace ddpm::cli
