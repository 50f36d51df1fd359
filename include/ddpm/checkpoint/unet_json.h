#pragma once

#include <string>
#include <vector>

#include "ddpm/core/json.h"
#include "ddpm/nn/options.h"

namespace ddpm {

// The version of diffusers whose files this program writes (_diffusers_version).
inline constexpr const char* kDiffusersVersion = "0.42.1";

// A unet/config.json. Missing keys take diffusers' defaults, unknown ones are warned about, keys that begin with an
// underscore are passed over. Block types, activations and values that this program has no code for are user_errors
// which begin with `source` and name them.
UNetConfig unet_from_json(const Json& json, const std::string& source);

// diffusers' own set of keys, sorted, with _class_name and _diffusers_version.
Json unet_to_json(const UNetConfig& config);

// Where weights of `theirs` would mean something else in `ours`: "layers_per_block (3 there, 2 here)", … The size of the
// pictures and dropout change no weight; keys that say the same in other words agree.
std::vector<std::string> compare_networks(const UNetConfig& theirs, const UNetConfig& ours);

}  // namespace ddpm
