#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/core/options.h"

namespace ddpm {

// Noise levels k = σ/α with low < k ≤ high; 0 ≤ low < high, and high may be infinite.
struct NoiseInterval {
    double low, high;
};

// Configuration section `sample`, and what the flags of `ddpm sample` set. If a member is unset, the next layer decides:
// after the flags the checkpoint's section, then its scheduler, and at last sample_defaults() and the sampler's own row.
struct SampleOptions {
    std::optional<std::string> sampler{};  // one of sampler_spellings()
    std::optional<int64_t> steps{};
    std::optional<std::vector<int64_t>> timesteps{};  // falling; in place of `steps` and their spacing
    std::optional<std::string> variance{};
    std::optional<double> eta{};
    std::optional<int64_t> order{};
    std::optional<double> s_churn{}, s_tmin{}, s_tmax{}, s_noise{};
    std::optional<bool> clip{};
    std::optional<double> clip_range{};
    std::optional<double> threshold_ratio{}, threshold_max{};  // in place of `clip`
    std::optional<double> guidance_scale{}, guidance_rescale{};
    std::optional<NoiseInterval> guidance_interval{};
    std::optional<std::string> timestep_spacing{};
    std::optional<int64_t> steps_offset{};
    std::optional<double> rho{};
};

const FieldTable<SampleOptions>& sample_fields();

// The values that hold if no layer sets them. `steps` and `timestep_spacing` are unset here too: they follow from the schedule
// and the sampler. So are bounds that do not hold: s_tmax, threshold_ratio, threshold_max,
// guidance_interval.
const SampleOptions& sample_defaults();

// Returns `upper` with its unset members taken from `lower`. If `upper` says a thing in one way, what `lower` says of it in
// another is left out:
//   - if `upper` names another sampler, a key that both samplers read, and if their spacings differ, timestep_spacing,
//     steps_offset and rho of `lower`: they were meant for lower's sampler;
//   - if `upper` names a sampler by an alias that has an eta, `eta` of `lower`;
//   - if `upper` says how many steps or how they are spaced, `timesteps` of `lower`;
//   - if `upper` says how to clip, the thresholding of `lower`.
SampleOptions filled_from(const SampleOptions& upper, const SampleOptions& lower);

// Returns the same options with an alias replaced by what it means.
SampleOptions without_alias(SampleOptions options);

// Returns the same options without an alias, and what they leave unset as sample_defaults() say.
SampleOptions with_defaults(const SampleOptions& options);

// Another name that people know a sampler by.
struct SamplerAlias {
    std::string name;
    std::optional<double> eta{};  // in force unless another one is given
};

// What is known of a sampler without LibTorch: its row in src/sampling/samplers.def. Configuration, help, errors, the texts
// in PNGs and the tests that every sampler must pass follow from that row.
struct SamplerInfo {
    std::string name;
    std::string summary;
    std::vector<std::string> keys{};  // of section `sample`, beside those that all samplers read
    std::vector<SamplerAlias> aliases{};
    std::string spacing = "leading";  // when none is asked for
    // How many times S steps ask the network; 0 for S = 0. The last S' of S steps ask it evaluations(S') times.
    int64_t (*evaluations)(int64_t steps) = [](int64_t steps) { return steps; };
    bool repaints = false;  // whether RePaint may undo and repeat its steps (ddpm/sampling/editing.h)

    // Whether this sampler reads a key of section `sample`: its row names the key, or no row does.
    bool reads(const std::string& key) const;
};

const std::vector<SamplerInfo>& sampler_infos();
std::vector<std::string> sampler_names();
std::vector<std::string> sampler_spellings();              // the names, then the aliases
const SamplerInfo& sampler_info(const std::string& name);  // an unknown name, also an alias, is a user_error

// One line of names with their aliases: "ancestral (ddpm), ddim (euler: eta 0), heun".
std::string describe_samplers();

// Returns the samplers whose rows name `key`. Empty for a key that all samplers read.
std::vector<std::string> samplers_reading(const std::string& key);

// Throws a user_error if something that `given` sets (without aliases) would have no effect: a key that only other samplers
// read; steps or a spacing beside a list of timesteps; clipping beside thresholding; threshold_max without a threshold_ratio,
// a companion of s_churn without s_churn, or of guidance_scale without one but 1, in `filled`, which is `given` over all lower
// layers.
void check_keys_read(const SamplerInfo& sampler, const SampleOptions& given, const SampleOptions& filled);

}  // namespace ddpm
