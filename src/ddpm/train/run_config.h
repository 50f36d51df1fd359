#pragma once

#include <string>
#include <vector>

#include "ddpm/core/json.h"
#include "ddpm/core/options.h"
#include "ddpm/dataset/dataset.h"

namespace ddpm {

// One key that has different values in two resolved configurations.
struct ConfigChange {
    std::string key;   // "train.steps"
    Json before, now;  // null in a configuration that lacks the key
};

// Returns the keys with different values, in the order of `before`, then those that only `now` has. A list is one value.
std::vector<ConfigChange> compare_configs(const Json& before, const Json& now);

// How the settings of a run change when it is continued.
struct ResumeChanges {
    std::vector<std::string> refused;   // changes that would make it another run: "train.batch_size (4 there, 8 now)"
    std::vector<std::string> warnings;  // one sentence each
};

// Judges the differences between a run's configuration and the one that continues it. Keys that are free_on_resume may differ,
// train.steps may grow, and every other difference is refused. `keys` holds every key under its dotted name.
ResumeChanges judge_changes(const Json& before, const Json& now, const std::vector<FieldInfo>& keys);

// What counters.json keeps of the data under the key "data": names, sizes and bytes, eight hexadecimal digits each.
Json write_fingerprint(const DataFingerprint& data);

}  // namespace ddpm
