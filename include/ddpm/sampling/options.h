#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/core/options.h"

namespace ddpm {

// Configuration section `sample`, and what the flags of `ddpm sample` set. If a member is unset, the next layer decides:
// after the flags the checkpoint's section, then its scheduler, and at last sample_defaults() and the sampler's own row.
struct SampleOptions {
    std::optional<std::string> sampler{};  // one of sampler_names()
    std::optional<int64_t> steps{};
    std::optional<std::string> variance{};
    std::optional<double> eta{};
    std::optional<bool> clip{};
    std::optional<double> clip_range{};
    std::optional<std::string> timestep_spacing{};
    std::optional<int64_t> steps_offset{};
};

const FieldTable<SampleOptions>& sample_fields();

// The values that hold if no layer sets them. `steps` and `timestep_spacing` are unset here too: they follow from the schedule
// and the sampler.
const SampleOptions& sample_defaults();

// Returns `upper` with its unset members taken from `lower`. If `upper` names a sampler whose spacing differs from that of
// lower's sampler, timestep_spacing and steps_offset of `lower` were meant for that one and are left out.
SampleOptions filled_from(const SampleOptions& upper, const SampleOptions& lower);

// What is known of a sampler without LibTorch: its row in src/sampling/samplers.def. Configuration, help, errors, the texts
// in PNGs and the tests that every sampler must pass follow from that row.
struct SamplerInfo {
    std::string name;
    std::string summary;
    std::vector<std::string> keys{};  // of section `sample`, beside those that all samplers read
    std::string spacing = "leading";  // when none is asked for
    // How many times S steps ask the network; 0 for S = 0. The last S' of S steps ask it evaluations(S') times.
    int64_t (*evaluations)(int64_t steps) = [](int64_t steps) { return steps; };

    // Whether this sampler reads a key of section `sample`: its row names the key, or no row does.
    bool reads(const std::string& key) const;
};

const std::vector<SamplerInfo>& sampler_infos();
std::vector<std::string> sampler_names();
const SamplerInfo& sampler_info(const std::string& name);  // an unknown name is a user_error

// Returns the samplers whose rows name `key`. Empty for a key that all samplers read.
std::vector<std::string> samplers_reading(const std::string& key);

// Throws a user_error if `given` sets a key that only other samplers read.
void check_keys_read(const SamplerInfo& sampler, const SampleOptions& given);

}  // namespace ddpm
