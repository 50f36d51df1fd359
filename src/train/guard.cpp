#include "train/guard.h"

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/options.h"

namespace ddpm::train {

StepGuard::Verdict StepGuard::judge(bool finite, const TrainOptions& options) {
    if (finite) {
        in_a_row = 0;
        return Verdict::go_on;
    }
    ++in_a_row;
    ++skipped;
    if (in_a_row < options.nonfinite_patience) return Verdict::skip;
    return static_cast<int64_t>(rollbacks.size()) < options.max_rollbacks ? Verdict::roll_back : Verdict::give_up;
}

void StepGuard::roll_back(int64_t from, int64_t to, const TrainOptions& options) {
    rollbacks.push_back({from, to, learning_rate_factor() * options.rollback_lr_factor});
    in_a_row = 0;
}

Json StepGuard::write() const {
    Json list = Json::array();
    for (const Rollback& rollback : rollbacks)
        list.push_back({{"from", rollback.from}, {"to", rollback.to}, {"learning_rate_factor", rollback.learning_rate_factor}});
    return {{"in_a_row", in_a_row}, {"skipped", skipped}, {"rollbacks", list}};
}

StepGuard StepGuard::read(const Json& json, const std::string& path) {
    const auto member = [](const Json& object, const std::string& key, const std::string& where) -> const Json& {
        if (!object.is_object() || !object.contains(key)) user_error(where + ": holds no " + key + "; the checkpoint is damaged");
        return object[key];
    };
    const auto integer = [&](const Json& object, const std::string& key, const std::string& where) {
        return read_integer(member(object, key, where), where + "." + key, Range::at_least(0));
    };
    StepGuard guard;
    guard.in_a_row = integer(json, "in_a_row", path);
    guard.skipped = integer(json, "skipped", path);
    const Json& list = member(json, "rollbacks", path);
    if (!list.is_array()) wrong_value(list, path + ".rollbacks", "a list");
    for (size_t i = 0; i < list.size(); ++i) {
        const std::string where = fmt::format("{}.rollbacks[{}]", path, i);
        guard.rollbacks.push_back(
            {integer(list[i], "from", where), integer(list[i], "to", where),
             read_number(member(list[i], "learning_rate_factor", where), where + ".learning_rate_factor", Range::between(0, 1))});
    }
    return guard;
}

}  // namespace ddpm::train
