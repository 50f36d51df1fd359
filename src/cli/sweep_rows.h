#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/compare_rows.h"

namespace ddpm::cli {

// The numbers of steps where --steps is not given.
inline constexpr const char* kSweepSteps = "5,10,20,50";

// The samplers of `ddpm eval sweep`, each with its numbers of steps.
struct SweepRows {
    std::vector<CompareRow> rows{};
    std::vector<std::vector<int64_t>> steps{};  // of each row
    std::vector<bool> own_steps{};              // whether its entry names them

    int64_t fewest_steps() const;
    // Settles a row for one of its numbers of steps. Errors name the entry or the flag that the value comes from.
    ResolvedSampling settle(size_t row, int64_t steps, const Model& model) const;
};

// Reads --samplers and --steps (unset: kSweepSteps): the entries of read_compare_rows, each perhaps with its own numbers of steps, as in
// "ddim:10,25,50,unipc:order=3:8,ancestral". A number belongs to the entry before it. An entry without numbers takes those of --steps. These are
// user_errors: what read_compare_rows and read_compare_steps refuse, a number without an entry, and --steps that no entry takes.
SweepRows read_sweep_rows(const std::string& samplers, const std::optional<std::string>& steps);

}  // namespace ddpm::cli
