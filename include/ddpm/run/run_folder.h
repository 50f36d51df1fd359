#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/checkpoint/diffusers.h"

namespace ddpm {

// A run folder holds checkpoints/step-001000/, each a diffusers pipeline of the EMA weights with a folder training/
// beside unet/ and scheduler/ for what going on needs.

// What training/ holds.
struct TrainingState {
    NamedTensors weights;    // the raw ones
    NamedTensors optimizer;  // its moments
    Json counters;           // "step" is set by write_checkpoint
    Json config;  // the resolved configuration
    std::vector<std::string> label_names;
};

struct CheckpointContents {
    UNetConfig unet;
    SchedulerConfig scheduler;
    NamedTensors ema_weights;
    TrainingState training;
};

// Whether a run writes something of this name whole: in its folder (""; checkpoints/ is removed so) or in one of the folders
// "samples" and "checkpoints" there.
bool is_name_of_run(const std::string& folder, const std::string& name);

struct Checkpoint {
    int64_t step = 0;
    std::filesystem::path path;
};

// "step-001000"
std::string checkpoint_name(int64_t step);

// The complete checkpoints of a run, ascending by step: every file of CheckpointContents is there. A name that begins
// with a dot is never taken. A run without the folder has none. Unreadable: the system does not say.
std::vector<Checkpoint> list_checkpoints(const std::filesystem::path& run);
std::optional<Checkpoint> newest_checkpoint(const std::filesystem::path& run);

// Writes run/checkpoints/step-… whole or not at all, replacing one of the same step, and returns its path.
std::filesystem::path write_checkpoint(const std::filesystem::path& run, int64_t step,
                                       const CheckpointContents& contents);

// training/ of a checkpoint; the tensors are to be loaded in place by load_tensors.
WeightSource training_weights(const std::filesystem::path& checkpoint);
WeightSource training_optimizer(const std::filesystem::path& checkpoint);
Json training_counters(const std::filesystem::path& checkpoint);
Json training_config(const std::filesystem::path& checkpoint);
std::vector<std::string> training_label_names(const std::filesystem::path& checkpoint);
// Whether a folder is a checkpoint of ours rather than any pipeline: it says what it was trained with. Drawing needs no
// more of training/.
bool has_training(const std::filesystem::path& checkpoint);
// Whether every file of a checkpoint is there, as going on needs.
bool is_complete(const std::filesystem::path& checkpoint);
// The first thing in a checkpoint, from its folder on, that no run has written there.
std::optional<std::filesystem::path> foreign_in_checkpoint(const std::filesystem::path& checkpoint);

// What somebody has put into a checkpoint that is removed, here and below, stays in step-….rest, and a warning says so.
// Removes all complete checkpoints but the `keep_last` newest (at least one), those whose step is a multiple of
// `keep_every` (0: none) and those of the steps `kept`. Returns how many went.
int prune_checkpoints(const std::filesystem::path& run, int64_t keep_last, int64_t keep_every,
                      const std::vector<int64_t>& kept = {});

// Removes the checkpoints of later steps than `step`.
void remove_checkpoints_after(const std::filesystem::path& run, int64_t step);

// Points the link checkpoints/best to the checkpoint of a step; to none, or one that is gone, removes it. A file system
// without links is warned about.
void mark_best_checkpoint(const std::filesystem::path& run, std::optional<int64_t> step);

}  // namespace ddpm
