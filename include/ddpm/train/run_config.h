#pragma once

#include <string>
#include <vector>

#include "ddpm/core/json.h"

namespace ddpm {

// One key that two resolved configurations disagree on.
struct ConfigChange {
    std::string key;  // "train.steps"
    Json before, now;
};

// Leaves that differ, in the order of `before`, then those that only `now` has. A list is one leaf.
std::vector<ConfigChange> compare_configs(const Json& before, const Json& now);

// Whether `now` may continue a run begun with `before`: only keys that don't change what is computed may differ, and
// train.steps may grow. Returns warnings for the log; any other difference is a user_error that names key and values.
std::vector<std::string> check_resumable(const Json& before, const Json& now);

}  // namespace ddpm
