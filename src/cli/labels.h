#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ddpm/pipeline/model.h"

namespace ddpm::cli {

// Returns the label that --label names, by the name of a class or by number; nothing for an empty `text`. An unknown one is a
// user_error.
std::optional<int64_t> chosen_label(const std::string& text, const Model& model);

// ", class \"cat\"": what is drawn, for the log.
std::string what_is_drawn(const Model& model, const std::optional<int64_t>& label);

}  // namespace ddpm::cli
