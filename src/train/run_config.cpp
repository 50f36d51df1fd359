#include "ddpm/train/run_config.h"

#include <algorithm>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"
#include "ddpm/core/text.h"

namespace ddpm {

namespace {

// Keys that say when something is written or how fast it is done, and what is to be done when training goes wrong:
// they change no weights of a run that goes well.
bool is_free(const std::string& key) {
    static const std::vector<std::string> free_keys = {
        "train.checkpoint_every", "train.keep_last",  "train.keep_every", "train.sample_every", "train.sample_images",
        "train.log_every",        "dataset.workers", "dataset.cache_mb", "train.nonfinite_patience",
        "train.max_rollbacks",    "train.rollback_lr_factor", "train.spike_threshold",
        "train.validate_every",
        "train.heartbeat_seconds",
    };
    return key.rfind("sample.", 0) == 0 || std::find(free_keys.begin(), free_keys.end(), key) != free_keys.end();
}

void compare(const Json& before, const Json& now, const std::string& path, std::vector<ConfigChange>& changes) {
    if (before.is_object() && now.is_object()) {
        const auto child = [&](const std::string& key) { return path.empty() ? key : path + "." + key; };
        for (const auto& item : before.items())
            compare(item.value(), now.contains(item.key()) ? now[item.key()] : Json(), child(item.key()), changes);
        for (const auto& item : now.items())
            if (!before.contains(item.key())) compare(Json(), item.value(), child(item.key()), changes);
    } else if (before != now) {
        changes.push_back({path, before, now});
    }
}

}  // namespace

std::vector<ConfigChange> compare_configs(const Json& before, const Json& now) {
    std::vector<ConfigChange> changes;
    compare(before, now, "", changes);
    return changes;
}

std::vector<std::string> check_resumable(const Json& before, const Json& now) {
    std::vector<std::string> warnings, refused;
    for (const ConfigChange& change : compare_configs(before, now)) {
        if (is_free(change.key)) continue;
        if (change.key == "train.steps" && change.now > change.before) {
            const std::string schedule = now.at("train").value("lr_schedule", "constant");
            if (schedule != "constant")
                warnings.push_back(fmt::format("train.steps goes from {} to {}: the {} decay of the learning rate is "
                                               "stretched, so this is not the run that {} steps from the start would be",
                                               brief(change.before), brief(change.now), schedule, brief(change.now)));
            continue;
        }
        refused.push_back(fmt::format("{} ({} there, {} now)", change.key, brief(change.before), brief(change.now)));
    }
    if (!refused.empty())
        user_error("--resume: the run was begun with other settings: " + join(refused),
                   "set them back, or train into another folder with --out");
    return warnings;
}

}  // namespace ddpm
