#pragma once

#include <map>
#include <string>

#include "ddpm/core/json.h"

namespace ddpm {

// Reads the weight_map of a .safetensors.index.json, which says for each tensor which file beside the index holds it.
// Anything but an object that maps names to file names without a folder is a user_error that begins with `source`.
std::map<std::string, std::string> read_safetensors_index(const Json& index, const std::string& source);

}  // namespace ddpm
