#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cli/judged_samples.h"
#include "cli/neighbours_data.h"
#include "ddpm/core/json.h"
#include "ddpm/eval/copy_search.h"
#include "ddpm/image/image.h"

namespace ddpm::cli {

// What `ddpm eval neighbours` has found, and what is needed to show it.
struct NeighboursFound {
    const CopySets& sets;
    const CopySearch& search;
    const JudgedSamples& samples;
    const NeighbourData& data;
    std::vector<int64_t> beside;      // the places in data.beside() of the pictures in sets.held_out
    std::vector<int64_t> suspicious;  // samples, the most suspicious first
};

// How many samples are listed and drawn.
inline constexpr size_t kMostSuspicious = 16;

// Returns the most suspicious samples, at most kMostSuspicious. Of equally suspicious ones that of the smaller ratio in pixels comes
// first, then that of the smaller number.
std::vector<int64_t> most_suspicious(const CopySearch& search);

// Prints a table to standard output, the flagged ones among the most suspicious and the verdict.
void print_neighbours(const NeighboursFound& found);

// {format, schema, protocol, samples, memorisation: {verdict, pixel: {…}, …}, most_suspicious: [{sample, pixel: {…}, …}, …]}.
// `features` null: of pixels alone. `seconds` is what the samples took.
Json neighbours_json(const NeighboursFound& found, const Features* features, double seconds);

// Draws the most suspicious samples, a row for each: the sample, the nearest training picture by the distance that makes it suspicious,
// their difference without the outermost pixels, and the nearest held-out picture where there is one.
Image neighbours_sheet(const NeighboursFound& found);

// Refuses --json FILE where something else than such a result lies, or none can be written.
void check_neighbours_json(const std::filesystem::path& file);

}  // namespace ddpm::cli
