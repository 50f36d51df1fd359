#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/core/options.h"

namespace ddpm {

// Configuration section `sample`, and what the flags of `ddpm sample` set. A member that is unset says nothing: the
// next layer decides (flags, then the checkpoint's section, then its scheduler), and at last sample_defaults() and the
// sampler's own row.
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

// What holds where nothing is said. The steps and the spacing stay open: they follow from the schedule and the sampler.
const SampleOptions& sample_defaults();

// `upper` with its unset members taken from `lower`. Where the two name samplers that want different spacings, the
// spacing of `lower` was meant for its own and is left out.
SampleOptions filled_from(const SampleOptions& upper, const SampleOptions& lower);

// What is known of a sampler without LibTorch. Its row in src/sampling/samplers.def is written here and there alone:
// configuration, help, errors, the texts in PNGs and the tests that every sampler must pass follow from it.
struct SamplerInfo {
    std::string name;
    std::string summary;
    std::vector<std::string> keys{};  // of section `sample`, beside those that all samplers read
    std::string spacing = "leading";  // when none is asked for
    // How often S steps ask the network; 0 for S = 0. The last S' of S steps ask it evaluations(S') times.
    int64_t (*evaluations)(int64_t steps) = [](int64_t steps) { return steps; };

    bool reads(const std::string& key) const;
};

const std::vector<SamplerInfo>& sampler_infos();
std::vector<std::string> sampler_names();
const SamplerInfo& sampler_info(const std::string& name);  // an unknown name is a user_error

// The samplers that read `key` beside the keys that all read; empty for one of those.
std::vector<std::string> samplers_reading(const std::string& key);

// A key that is set in `given` and that only samplers other than `sampler` read is a user_error.
void check_keys_read(const SamplerInfo& sampler, const SampleOptions& given);

}  // namespace ddpm
