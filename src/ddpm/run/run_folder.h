#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/checkpoint/diffusers.h"

namespace ddpm {

// A run folder holds checkpoints/step-001000/ and the like. Each is a diffusers pipeline of the EMA weights with a
// folder training/ beside unet/ and scheduler/, which holds what resuming needs.

// The contents of training/.
struct TrainingState {
    NamedTensors weights;    // the raw ones
    NamedTensors optimizer;  // its moments
    Json counters;           // write_checkpoint sets "step"
    Json config;             // the resolved configuration
    std::vector<std::string> label_names;
};

struct CheckpointContents {
    UNetConfig unet;
    SchedulerConfig scheduler;
    NamedTensors ema_weights;
    TrainingState training;
};

// Whether a run writes or removes something of this name as a whole. `folder` is where the name lies: "samples", "ema",
// "tensorboard", "checkpoints", or "" for the run folder itself, where checkpoints/ is only ever removed.
bool is_name_of_run(const std::string& folder, const std::string& name);

struct Checkpoint {
    int64_t step = 0;
    std::filesystem::path path;
};

// "step-001000"
std::string checkpoint_name(int64_t step);

// Returns the complete checkpoints of a run, ascending by step. In a complete one every file of CheckpointContents is
// there. A name that begins with a dot is never taken. A run without checkpoints/ has none. If the system does not
// allow it to look, it throws an Unreadable.
std::vector<Checkpoint> list_checkpoints(const std::filesystem::path& run);
std::optional<Checkpoint> newest_checkpoint(const std::filesystem::path& run);

// user_error: more, or longer, names than a checkpoint can hold (256 MiB of labels.json). To be asked before training.
void check_label_names(const std::vector<std::string>& names);

// Writes run/checkpoints/step-… whole or not at all, replacing one of the same step, and returns its path.
std::filesystem::path write_checkpoint(const std::filesystem::path& run, int64_t step, const CheckpointContents& contents);

// These read training/ of a checkpoint. load_tensors loads the tensors in place.
WeightSource training_weights(const std::filesystem::path& checkpoint);
WeightSource training_optimizer(const std::filesystem::path& checkpoint);
Json training_counters(const std::filesystem::path& checkpoint);
Json training_config(const std::filesystem::path& checkpoint);
std::vector<std::string> training_label_names(const std::filesystem::path& checkpoint);
// Whether a folder is a checkpoint of this program rather than some other pipeline, which is so if training/ says what
// it was trained with. Sampling needs no more of training/.
bool has_training(const std::filesystem::path& checkpoint);
// Whether every file of a checkpoint is there, so that a run can be resumed from it.
bool is_complete(const std::filesystem::path& checkpoint);
// Returns the first path in a checkpoint, relative to its folder, that no run has written.
std::optional<std::filesystem::path> foreign_in_checkpoint(const std::filesystem::path& checkpoint);

// Whether a folder holds nothing but files of a checkpoint, whole or half-written, as a kill leaves it.
bool is_part_of_checkpoint(const std::filesystem::path& folder);

// Removes all complete checkpoints but the `keep_last` newest (at least one), those whose step is a multiple of
// `keep_every` (0: none) and those of the steps `kept`. Returns how many it has removed. Files in them that no run has
// written stay in step-….rest, with a warning, here and below.
int prune_checkpoints(const std::filesystem::path& run, int64_t keep_last, int64_t keep_every,
                      const std::vector<int64_t>& kept = {});

// Removes the complete checkpoints of later steps than `step`.
void remove_checkpoints_after(const std::filesystem::path& run, int64_t step);

// The links in checkpoints/ to what a run has found best: by the loss on held-out pictures, and by the quality of samples.
inline constexpr const char* kBestByLoss = "best";
inline constexpr const char* kBestByQuality = "best-quality";
bool is_link_to_best(const std::string& name);

// Points such a link to the checkpoint of a step. Removes the link if there is no step or its checkpoint is gone. A file system
// without links causes a warning.
void mark_best_checkpoint(const std::filesystem::path& run, std::optional<int64_t> step, const char* link_name = kBestByLoss);

}  // namespace ddpm
