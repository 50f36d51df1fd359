#include "ddpm/train/run_config.h"

#include <algorithm>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/text.h"

namespace ddpm {

namespace {

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

// Each width of train.ema_widths is an average by itself.
bool is_same_in_another_order(const ConfigChange& change) {
    return change.key == "train.ema_widths" && change.before.is_array() && change.now.is_array() &&
           change.before.size() == change.now.size() &&
           std::is_permutation(change.before.begin(), change.before.end(), change.now.begin());
}

}  // namespace

std::vector<ConfigChange> compare_configs(const Json& before, const Json& now) {
    std::vector<ConfigChange> changes;
    compare(before, now, "", changes);
    return changes;
}

ResumeChanges judge_changes(const Json& before, const Json& now, const std::vector<FieldInfo>& keys) {
    const auto is_free = [&](const std::string& name) {
        return std::any_of(keys.begin(), keys.end(), [&](const FieldInfo& key) { return key.free_on_resume && key.name == name; });
    };
    ResumeChanges changes;
    for (const ConfigChange& change : compare_configs(before, now)) {
        if (is_free(change.key) || is_same_in_another_order(change)) continue;
        if (change.key == "train.steps" && change.now > change.before) {
            const std::string schedule = now.at("train").value("lr_schedule", "constant");
            if (schedule != "constant")
                changes.warnings.push_back(
                    fmt::format("train.steps goes from {} to {}: the {} decay of the learning rate is "
                                "stretched, so this is not the run that {} steps from the start would be",
                                brief(change.before), brief(change.now), schedule, brief(change.now)));
            continue;
        }
        const char* why =
            change.key == "train.ema_widths" ? "; such an average follows from all steps, so it can't begin here" : "";
        changes.refused.push_back(fmt::format("{} ({} there, {} now{})", change.key, brief(change.before), brief(change.now), why));
    }
    return changes;
}

Json write_fingerprint(const DataFingerprint& data) {
    return {{"names", fmt::format("{:08x}", data.names)},
            {"sizes", fmt::format("{:08x}", data.sizes)},
            {"bytes", fmt::format("{:08x}", data.bytes)}};
}

}  // namespace ddpm
