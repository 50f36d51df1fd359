#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "ddpm/core/options.h"
#include "ddpm/dataset/options.h"
#include "ddpm/diffusion/options.h"
#include "ddpm/nn/options.h"
#include "ddpm/sampling/options.h"
#include "ddpm/train/options.h"

namespace ddpm {

// The whole configuration, assembled from the rooms' own option structs.
struct Config {
    int64_t seed = 0;
    DatasetOptions dataset;
    ModelOptions model;
    DiffusionOptions diffusion;
    TrainOptions train;
    SampleOptions sample;
};

// Reads every section, then checks what no single key can tell (contradictions within and between sections).
// Errors begin with the key's path.
Config read_config(const Json& json);

// A configuration file with `--set section.key=value` on top; values are JSON, or text where they aren't.
// Errors begin with the file, or with `--set` where the key came from there.
Config load_config(const std::filesystem::path& file, const std::vector<std::string>& assignments);

// The defaults with such assignments on top.
Config read_assignments(const std::vector<std::string>& assignments);

// Every key with the value in force.
Json write_config(const Config& config);

// Every key by its dotted name ("train.steps"), in the order of the sections.
std::vector<FieldInfo> describe_config();

// The network that a configuration asks for.
UNetConfig resolve_unet(const Config& config);

}  // namespace ddpm
