#pragma once

#include <filesystem>
#include <vector>

#include "ddpm/checkpoint/run_folder.h"

namespace ddpm {

// The files of a checkpoint, from its folder on.
inline constexpr const char* kRawWeights = "training/weights.safetensors";
inline constexpr const char* kOptimizer = "training/optimizer.safetensors";
inline constexpr const char* kCounters = "training/counters.json";
inline constexpr const char* kConfig = "training/config.json";
inline constexpr const char* kLabels = "training/labels.json";
inline constexpr const char* kCheckpointFiles[] = {"model_index.json",
                                                   "scheduler/scheduler_config.json",
                                                   "unet/config.json",
                                                   "unet/diffusion_pytorch_model.safetensors",
                                                   kRawWeights,
                                                   kOptimizer,
                                                   kCounters,
                                                   kConfig,
                                                   kLabels};

// The key of counters.json under which the checksums of the other JSON files stand; tensor files carry their own.
inline constexpr const char* kFileChecksums = "crc32";

// The folders that are called like a checkpoint, complete or not, ascending by step.
std::vector<Checkpoint> step_folders(const std::filesystem::path& folder);

// The step of "step-001000"; nothing for another name.
std::optional<int64_t> step_of(const std::string& name);

// zlib's crc32 of a file's bytes, as eight hexadecimal digits.
std::string file_checksum(const std::filesystem::path& file);

}  // namespace ddpm
