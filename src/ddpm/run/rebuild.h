#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ddpm/checkpoint/diffusers.h"
#include "ddpm/checkpoint/safetensors.h"
#include "ddpm/core/error.h"
#include "ddpm/core/files.h"
#include "ddpm/run/snapshots.h"

namespace ddpm {

// An average that a run did not keep, as a weighted sum of the snapshots in its ema/ (power_ema.h).
struct Rebuild {
    int64_t step = 0;  // of the run
    double width = 0;
    std::vector<std::pair<Snapshot, double>> terms;  // snapshots up to that step, and their weights
    double residual = 0, error = 0;                  // as in Reconstruction; 0 for a snapshot as it is
};

// Whether the folder is a run that has snapshots.
bool has_snapshots(const std::filesystem::path& run);

// Plans the average of `width` at `step` (unset: at the newest snapshot), over the snapshots of earlier steps and of that one. If
// one of them is that average, it is the only term. A damaged snapshot, and one of another network than the run's, is left out with
// a warning that names it. `width_key` and `step_key` are the flags or keys that the numbers came from. These are user_errors: a
// width that is not possible, a path that is no run or has no snapshots, a step before the first or after the newest snapshot, no
// sound snapshot.
Rebuild plan_rebuild(const std::filesystem::path& run, double width, const std::string& width_key,
                     std::optional<int64_t> step = std::nullopt, const std::string& step_key = "step");

// "width 0.08 at step 20000, from 24 snapshots: expected error 0.0004 …"
std::string describe(const Rebuild& rebuild);

// Logs a warning if the expected error is more than a tenth, or the profile's relative error more than a fifth.
void warn_of_error(const Rebuild& rebuild);

// Writes the average into the tensors of a network on the CPU, in place. Snapshots are read one after the other, and their sum is
// kept in float64: beside the network it takes twice the network's memory, whatever the number of snapshots. A snapshot as it is
// stays the same to the bit. Tensors that do not fit and damage are user_errors; the tensors hold any numbers then.
void rebuild_into(const Rebuild& rebuild, const NamedTensors& tensors);

// A folder of a rebuilt average is a checkpoint without raw weights and optimizer: a pipeline of diffusers beside training/ with the
// configuration of the run and the names of its classes. training/counters.json says which average it is.

// What such a folder takes from a checkpoint of its run.
struct RebuiltFrom {
    std::string run;  // as the user named it
    UNetConfig unet;
    SchedulerConfig scheduler;
    std::string config, labels;  // the texts of training/config.json and training/labels.json
};
RebuiltFrom read_rebuilt_from(const std::filesystem::path& named, const std::filesystem::path& checkpoint);

// Whether the folder is of a rebuilt average.
bool is_rebuilt(const std::filesystem::path& folder);

// Fills an empty folder.
void write_rebuilt(const std::filesystem::path& folder, const RebuiltFrom& from, const Rebuild& rebuild,
                   const NamedTensors& weights);

// Whether nothing has the snapshot's name any more. A link to nothing has it still, and is damaged.
bool was_removed(const Snapshot& snapshot);

// Returns use(plan_rebuild(…)). If the run thins its snapshots meanwhile, `use` is called again with the ones that are there then,
// so it must not have lasting effects before it has read everything.
template <class Use>
auto with_rebuild(const std::filesystem::path& run, double width, const std::string& width_key, std::optional<int64_t> step,
                  const std::string& step_key, const Use& use) {
    for (;;) {
        const Rebuild rebuild = plan_rebuild(run, width, width_key, step, step_key);
        try {
            return use(rebuild);
        } catch (const Error&) {
            bool all_there = true;
            for (const auto& [snapshot, weight] : rebuild.terms) all_there = all_there && !was_removed(snapshot);
            if (all_there) throw;
        }
    }
}

}  // namespace ddpm
