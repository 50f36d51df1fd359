#pragma once

#include <string>
#include <vector>

namespace ddpm::parity {

// Verbs of ddpm_parity about the numbers of `ddpm eval quality`. Their arguments end with the files IN and OUT, safetensors, unless a
// verb says otherwise. Numbers are written as float64 scalars.

// distances IN OUT: `reference` [N, D] and `samples` [M, D], floating → `fd`, `kid`, `mmd`, and precision, recall, density
// and coverage with 3 and 5 neighbours as `precision/3`, ….
void measure_distances(const std::vector<std::string>& arguments);

// scattering J IN OUT: `x` [n, H, W] float32 or float64 → `S`, by 6 angles.
void scatter(const std::vector<std::string>& arguments);

// judge FEATURES METRICS IN OUT: `reference` and sets of any other name, pictures [n, C, H, W] uint8 → for each set SET its features
// `SET/features`, and by each metric between commas `SET/mmd`, its deviation `SET/mmd/sd`, ….
void judge_sets(const std::vector<std::string>& arguments);

// pictures CONFIG OUT: all pictures of the configuration's data set → `pixels` [N, C, H, W] uint8 and `labels` [N].
void write_pictures(const std::vector<std::string>& arguments);

}  // namespace ddpm::parity
