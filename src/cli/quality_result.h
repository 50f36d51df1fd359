#pragma once

#include <filesystem>
#include <vector>

#include "cli/judged_samples.h"
#include "ddpm/core/json.h"
#include "ddpm/eval/judge.h"
#include "ddpm/eval/quality.h"

namespace ddpm::cli {

// The "format" of what `ddpm eval quality` writes.
inline constexpr const char* kQualityFormat = "ddpm eval quality";

// {…protocol, n_real, n_fake, n_floor, reference}: what decides the numbers of `samples` samples.
Json judged_protocol(const FeatureProtocol& protocol, const RealFeatures& real, int64_t samples);

// [{name, value, sd, floor, floor_sd}, …]
Json quality_numbers_json(const std::vector<QualityNumber>& numbers);

// Prints a table to standard output: value, two deviations, floor and its two deviations.
void print_quality(const std::vector<QualityNumber>& numbers);

// {format, schema, protocol, samples, results: [{name, value, sd, floor, floor_sd}, …]}. `seconds` is what the samples took.
Json quality_json(const std::vector<QualityNumber>& numbers, const FeatureProtocol& protocol, const RealFeatures& real,
                  const JudgedSamples& samples, double seconds);

// Refuses --json FILE where something else than such a result lies, or none can be written.
void check_quality_json(const std::filesystem::path& file);

}  // namespace ddpm::cli
