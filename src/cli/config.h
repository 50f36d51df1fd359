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

namespace ddpm::cli {

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

// What the user gives: the keys of a configuration file with `--set section.key=value` on top; values are JSON, or text
// where they aren't. Errors begin with the file, or with `--set` where the key came from there.
struct GivenConfig {
    Json json;
    std::string file;                   // empty: assignments alone
    std::vector<std::string> assigned;  // keys that --set has set
};

// Reads each key by itself; whether they fit together is not looked at.
GivenConfig read_given(const std::filesystem::path& file, const std::vector<std::string>& assignments);

// `rest` with what is given on top, not looked at for contradictions.
Config put_over(Config rest, const GivenConfig& given);

// user_error: the settings of `config` contradict each other. A key that is not given is said to stand in `rest_source`.
void check_config(const Config& config, const GivenConfig& given, const std::string& rest_source);

// The configuration that a run keeps, perhaps an older program's: see FieldTable::absent_means. Contradictions are not
// looked for. Errors begin with `source`.
Config read_kept_config(const Json& json, const std::string& source);

// What is given in the file and by assignments, over the defaults, and checked.
Config load_config(const std::filesystem::path& file, const std::vector<std::string>& assignments);

// The same of assignments alone.
Config read_assignments(const std::vector<std::string>& assignments);

// Every key with the value in force.
Json write_config(const Config& config);

// Every key by its dotted name ("train.steps"), in the order of the sections.
std::vector<FieldInfo> describe_config();

// What a user should know before training with these settings: a schedule that never reaches noise, steps of the pictures
// that were not taken as they are. Empty where all is well.
std::vector<std::string> warnings_of(const Config& config);

// The network that a configuration asks for.
UNetConfig resolve_unet(const Config& config);

}  // namespace ddpm::cli
