#include "cli/sweep_models.h"

#include <algorithm>

#include <spdlog/spdlog.h>

#include "cli/flag_names.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/core/json.h"
#include "ddpm/core/options.h"
#include "ddpm/core/text.h"
#include "ddpm/run/damage.h"
#include "ddpm/run/power_ema.h"
#include "ddpm/run/run_folder.h"

namespace ddpm::cli {

namespace {

std::string list_steps(const std::vector<Checkpoint>& checkpoints) {
    std::vector<std::string> steps;
    for (const Checkpoint& checkpoint : checkpoints) steps.push_back(std::to_string(checkpoint.step));
    return join(steps);
}

std::vector<SweptModel> sound_checkpoints(const fs::path& run, const std::vector<Checkpoint>& present, const std::string& weights,
                                          const std::string& flag) {
    std::vector<SweptModel> models;
    for (const auto& [step, path] : present) {
        if (const auto damage = damage_of(path, weights == "raw" ? NeededFiles::raw : NeededFiles::drawing))
            spdlog::warn("{}: damaged, and left out: {}", path.string(), *damage);
        else
            models.push_back({.path = path, .step = step});
    }
    if (models.empty()) user_error(fmt::format("{}: {}: every checkpoint is damaged", flag, run.string()));
    return models;
}

}  // namespace

std::string SweptModel::name() const {
    if (ema_width) return fmt::format("width {}", *ema_width);
    return step ? fmt::format("step {}", *step) : "";
}

Model SweptModel::open(const OpenOptions& options) const {
    OpenOptions own = options;
    own.ema_width = ema_width;
    own.ema_step = ema_step;
    return naming_flags({{"ema_width", width_flag}, {"ema_step", "--step"}}, [&] { return Model::open(path, own); });
}

std::vector<SweptModel> swept_checkpoints(const fs::path& run, const std::string& checkpoints, const std::string& weights,
                                          const std::string& flag) {
    if (!is_folder(run / "checkpoints"))
        user_error(fmt::format("{}: {}: is no run folder, expected one with checkpoints/", flag, run.string()));
    const std::vector<Checkpoint> present = list_checkpoints(run);
    if (present.empty()) user_error(fmt::format("{}: {}: this run has no complete checkpoint yet", flag, run.string()));
    if (checkpoints == "all") return sound_checkpoints(run, present, weights, flag);
    std::vector<SweptModel> models;
    for (const std::string& word : split(checkpoints, ',')) {
        const Json value = Json::accept(word) ? Json::parse(word) : Json(word);
        const int64_t step = read_integer(value, flag, Range::at_least(1));
        const auto same = [&](const auto& one) { return one.step == step; };
        if (std::any_of(models.begin(), models.end(), same)) user_error(fmt::format("{}: {} is there twice", flag, step));
        const auto found = std::find_if(present.begin(), present.end(), same);
        if (found == present.end())
            user_error(
                fmt::format("{}: {} has no checkpoint of step {}, only of {}", flag, run.string(), step, list_steps(present)));
        models.push_back({.path = found->path, .step = step});
    }
    std::sort(models.begin(), models.end(), [](const SweptModel& a, const SweptModel& b) { return a.step < b.step; });
    return models;
}

std::vector<SweptModel> swept_averages(const fs::path& run, const std::string& widths, std::optional<int64_t> ema_step) {
    const std::string flag = "--ema-widths";
    std::vector<SweptModel> models;
    for (const std::string& word : split(widths, ',')) {
        const Json value = Json::accept(word) ? Json::parse(word) : Json(word);
        if (!value.is_number())
            user_error(fmt::format("{}: got {}, expected numbers between commas, as 0.05,0.1", flag, quote(word)));
        const double width = value.get<double>();
        check_ema_width(width, flag);
        if (std::any_of(models.begin(), models.end(), [&](const SweptModel& one) { return one.ema_width == width; }))
            user_error(fmt::format("{}: {} is there twice", flag, width));
        models.push_back({.path = run, .step = {}, .ema_width = width, .ema_step = ema_step});
    }
    return models;
}

}  // namespace ddpm::cli
