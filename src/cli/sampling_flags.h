#pragma once

#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "ddpm/pipeline/model.h"
#include "ddpm/sampling/sampler.h"

namespace ddpm::cli {

// Returns the flag of a key of section `sample`: "--eta" of "eta". Returns "" for a key that has none.
std::string flag_of(const std::string& key);

// The flags that say how pictures are sampled: --sampler, --steps, --spacing and the like, one for each key of section `sample`.
class SamplingFlags {
public:
    void add(CLI::App& command);
    // Adds all but --sampler, --steps and --timesteps.
    void add_without_steps(CLI::App& command);

    // After the command line has been read: what it asks for. A value that its key does not allow is a user_error.
    SampleOptions options() const;

    // settle_sampling; its errors name flags in place of keys.
    ResolvedSampling settle(const Model& model, const Model* guide = nullptr, bool from_picture = false) const {
        return settle(model, options(), guide, from_picture);
    }
    // The same of options that were made of options().
    static ResolvedSampling settle(const Model& model, const SampleOptions& asked, const Model* guide = nullptr,
                                   bool from_picture = false);

private:
    SampleOptions options_;
    std::optional<std::string> timesteps_, guidance_interval_;
    bool no_clip_ = false;
};

}  // namespace ddpm::cli
