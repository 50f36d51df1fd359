#pragma once

#include <spdlog/spdlog.h>

#include "ddpm/core/error.h"

namespace ddpm::train {

// Runs an action that training can do without, such as drawing a picture. If it throws an Error, a warning says so and training
// goes on.
template <class Action>
void continue_without(const char* what, const Action& action) {
    try {
        action();
    } catch (const Error& error) {
        spdlog::warn("{}; going on without {}", error.what(), what);
    }
}

}  // namespace ddpm::train
