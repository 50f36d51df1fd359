#pragma once

#include <string>
#include <vector>

#include "ddpm/core/json.h"
#include "ddpm/core/options.h"

namespace ddpm {

// One key that two resolved configurations disagree on.
struct ConfigChange {
    std::string key;  // "train.steps"
    Json before, now;
};

// Leaves that differ, in the order of `before`, then those that only `now` has. A list is one leaf.
std::vector<ConfigChange> compare_configs(const Json& before, const Json& now);

// How the settings of a run change when it is continued.
struct ResumeChanges {
    std::vector<std::string> refused;   // settings that would make it another run: "train.batch_size (4 there, 8 now)"
    std::vector<std::string> warnings;  // one sentence each
};

// Judges what differs between a run's configuration and the one that shall continue it. Keys that are free_on_resume may
// differ, train.steps may grow, and every other difference is refused.
// `keys`: every key by its dotted name.
ResumeChanges judge_changes(const Json& before, const Json& now, const std::vector<FieldInfo>& keys);

}  // namespace ddpm
