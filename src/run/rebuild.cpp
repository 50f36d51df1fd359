#include "ddpm/run/rebuild.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include "ddpm/checkpoint/load.h"
#include "ddpm/core/text.h"
#include "ddpm/run/power_ema.h"

namespace ddpm {

namespace {

constexpr double kToleratedError = 0.1, kToleratedResidual = 0.2;

// The snapshots of a run, of which there is at least one.
std::vector<Snapshot> snapshots_of(const fs::path& run) {
    if (!is_folder(run / "checkpoints"))
        user_error(fmt::format("{}: is no run folder, and only a run keeps averages (ema/)", run.string()),
                   "name the folder of a run that was trained with train.ema_widths");
    if (const fs::path ema = run / "ema"; own_type(ema) != fs::file_type::not_found && !is_folder(ema))
        user_error(fmt::format("{}: is no folder, expected the one with the run's averages", ema.string()),
                   "move it away, and put the folder back");
    std::vector<Snapshot> all = list_snapshots(run);
    if (all.empty())
        user_error(fmt::format("{}: has no snapshots of averages (ema/): it was trained without train.ema_widths, or has not come "
                               "to the first snapshot yet",
                               run.string()),
                   "train with --set 'train.ema_widths=[0.05, 0.1]'");
    return all;
}

// Leaves out the snapshots of other networks, which somebody has put there. A warning names each.
void leave_out_foreign(const fs::path& run, std::vector<Snapshot>& all) {
    const std::optional<TensorShapes> expected = shapes_of_run(run);
    if (!expected) return;
    std::erase_if(all, [&](const Snapshot& snapshot) {
        const auto misfit = misfit_of_snapshot(snapshot, *expected);
        if (misfit) spdlog::warn("{} {}; it is left out", snapshot.path.string(), *misfit);
        return misfit.has_value();
    });
    if (all.empty())
        user_error(fmt::format("{}: no snapshot is of the run's network", (run / "ema").string()),
                   "put the run's own averages back; `ddpm info --verify` names what is wrong");
}

// Returns the step that is wanted, by default that of the newest snapshot.
int64_t wanted_step(const fs::path& run, const std::vector<Snapshot>& all, std::optional<int64_t> step, const std::string& key) {
    const int64_t first = all.front().step, last = all.back().step;
    if (step && (*step < first || *step > last))
        key_error(key, fmt::format("got {}, expected {} … {}, the steps between the first and the newest snapshot of {}", *step,
                                   first, last, run.string()));
    return step.value_or(last);
}

// Whether the snapshot is sound. If not, a warning says so; if it is gone, it is a runtime_failure.
bool is_sound(const Snapshot& snapshot) {
    const auto damage = damage_of_snapshot(snapshot);
    if (damage && was_removed(snapshot)) runtime_failure(snapshot.path.string() + ": was removed meanwhile");
    if (damage) spdlog::warn("{} is damaged ({}) and left out", snapshot.path.string(), *damage);
    return !damage;
}

// Weighs the sound snapshots up to the wanted step.
Rebuild weighed(const fs::path& run, const std::vector<Snapshot>& all, Rebuild wanted) {
    std::vector<PowerAverage> stored;
    PowerAverage average{0, power_of_width(wanted.width)};
    for (const Snapshot& snapshot : all) {
        if (snapshot.step > wanted.step || !is_sound(snapshot)) continue;
        const SnapshotInfo info = read_snapshot_info(snapshot);
        // Where all steps between two snapshots were skipped, both are the same average.
        const auto same = [&](const PowerAverage& other) {
            return other.t == static_cast<double>(info.updates) && other.gamma == info.gamma;
        };
        if (std::any_of(stored.begin(), stored.end(), same)) continue;
        stored.push_back({static_cast<double>(info.updates), info.gamma});
        wanted.terms.emplace_back(snapshot, 0.0);
        average.t = static_cast<double>(info.updates + wanted.step - info.step);  // as if no step since was skipped
    }
    if (stored.empty()) user_error(fmt::format("{}: no snapshot up to step {} is sound", (run / "ema").string(), wanted.step));
    const Reconstruction sum = reconstruct(stored, average);
    for (size_t i = 0; i < stored.size(); ++i) wanted.terms[i].second = sum.weights[i];
    wanted.residual = sum.residual;
    wanted.error = sum.error;
    return wanted;
}

}  // namespace

bool was_removed(const Snapshot& snapshot) { return own_type(snapshot.path) == fs::file_type::not_found; }

bool has_snapshots(const fs::path& run) { return is_folder(run / "checkpoints") && !list_snapshots(run).empty(); }

Rebuild plan_rebuild(const fs::path& run, double width, const std::string& width_key, std::optional<int64_t> step,
                     const std::string& step_key) {
    check_ema_width(width, width_key);
    for (;;) {
        std::vector<Snapshot> all = snapshots_of(run);
        leave_out_foreign(run, all);
        Rebuild wanted;
        wanted.step = wanted_step(run, all, step, step_key);
        wanted.width = width;
        const auto exact = std::find_if(all.begin(), all.end(), [&](const Snapshot& snapshot) {
            return snapshot.step == wanted.step && snapshot.width == width;
        });
        try {
            if (exact != all.end() && is_sound(*exact)) {
                wanted.terms.emplace_back(*exact, 1.0);
                return wanted;
            }
            if (exact != all.end()) all.erase(exact);
            return weighed(run, all, wanted);
        } catch (const Error&) {  // a run may have removed a snapshot meanwhile
            if (std::none_of(all.begin(), all.end(), was_removed)) throw;
        }
    }
}

std::string describe(const Rebuild& rebuild) {
    const std::string what = fmt::format("average of width {} at step {}", rebuild.width, rebuild.step);
    if (rebuild.terms.size() == 1 && rebuild.error == 0) return what + ", as the run kept it";
    return fmt::format(
        "{}, from {}: expected error of the weights {:.2g} of their distance from the last ones; relative error of the profile "
        "{:.2g}",
        what, plural(static_cast<int64_t>(rebuild.terms.size()), "snapshot"), rebuild.error, rebuild.residual);
}

void warn_of_error(const Rebuild& rebuild) {
    if (rebuild.error <= kToleratedError && rebuild.residual <= kToleratedResidual) return;
    spdlog::warn(
        "width {} at step {} can't be rebuilt well from these snapshots: the expected error is {:.2g} of the average's "
        "distance from the last weights, and that of the profile {:.2g} of its size; a width nearer to those in ema/, or the step "
        "of a snapshot, does better",
        rebuild.width, rebuild.step, rebuild.error, rebuild.residual);
}

void rebuild_into(const Rebuild& rebuild, const NamedTensors& tensors) {
    std::vector<at::Tensor> sums;
    for (const auto& [snapshot, weight] : rebuild.terms) {
        load_tensors(WeightSource(snapshot.path), tensors);
        const at::NoGradGuard no_grad;
        const bool first = sums.empty();
        for (size_t i = 0; i < tensors.size(); ++i) {
            const at::Tensor values = tensors[i].second.detach().to(at::kDouble);
            if (first)
                sums.push_back(values * weight);
            else
                sums[i].add_(values, weight);
        }
    }
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < tensors.size(); ++i) at::Tensor(tensors[i].second).copy_(sums[i]);
}

}  // namespace ddpm
