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
#include "ddpm/train/judging_options.h"
#include "ddpm/train/options.h"

namespace ddpm::cli {

// The whole configuration: the options of every room.
struct Config {
    int64_t seed = 0;
    DatasetOptions dataset;
    ModelOptions model;
    DiffusionOptions diffusion;
    TrainOptions train;
    SampleOptions sample;
    JudgingOptions eval;
};

// Reads every section, then refuses contradictions within and between sections. Every error is a user_error that begins with the
// key's path.
Config read_config(const Json& json);

// The settings that the user gives: the keys of a configuration file, then `--set section.key=value` on top. A value is JSON, or
// text if it is not valid JSON. Errors begin with the file, or with `--set` if the key was set there.
struct GivenConfig {
    Json json;
    std::string file;                   // empty if there are only assignments
    std::vector<std::string> assigned;  // the keys that --set has set
};

// Reads and checks each key by itself, without looking for contradictions between them.
GivenConfig read_given(const std::filesystem::path& file, const std::vector<std::string>& assignments);

// Returns `rest` with the given settings on top. It does not look for contradictions.
Config put_over(Config rest, const GivenConfig& given);

// Throws a user_error if the settings of `config` contradict each other. The error says that a key that is not given comes from
// `rest_source`.
void check_config(const Config& config, const GivenConfig& given, const std::string& rest_source);

// Reads the configuration that a run has stored. An older program may have written it; FieldTable::absent_means says what a
// missing key means then. It does not look for contradictions. Errors begin with `source`.
Config read_kept_config(const Json& json, const std::string& source);

// Returns the defaults with the file's and the assignments' settings on top, checked.
Config load_config(const std::filesystem::path& file, const std::vector<std::string>& assignments);

// Returns the defaults with the assignments on top, checked.
Config read_assignments(const std::vector<std::string>& assignments);

// Returns every key with its value in force.
Json write_config(const Config& config);

// Returns every key under its dotted name ("train.steps"), in the order of the sections.
std::vector<FieldInfo> describe_config();

// Returns warnings about these settings for a user who begins to train: a schedule that never reaches noise, or steps of the
// pictures that were not taken as they are. Usually there is none.
std::vector<std::string> warnings_of(const Config& config);

// Returns the network of a configuration.
UNetConfig resolve_unet(const Config& config);

}  // namespace ddpm::cli
