#pragma once

#include <string>
#include <vector>

#include "ddpm/core/json.h"
#include "ddpm/nn/options.h"

namespace ddpm {

// The version of diffusers whose files this program writes (_diffusers_version).
inline constexpr const char* kDiffusersVersion = "0.42.1";

// Reads a unet/config.json. Missing keys take diffusers' defaults, unknown ones are warned about, keys that begin with
// an underscore are passed over, but _class_name must be UNet2DModel. Block types, activations and values that this
// program has no code for are user_errors that begin with `source` and name them.
UNetConfig unet_from_json(const Json& json, const std::string& source);

// Writes diffusers' own set of keys, sorted, with _class_name and _diffusers_version.
Json unet_to_json(const UNetConfig& config);

// Lists the keys by which weights of `theirs` would mean something else in `ours`, as in "layers_per_block (3 there, 2
// here)". The size of the pictures and dropout change no weight; keys that say the same in other words agree.
std::vector<std::string> compare_networks(const UNetConfig& theirs, const UNetConfig& ours);

}  // namespace ddpm
