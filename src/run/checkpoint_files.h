#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/run/run_folder.h"

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

// The key of counters.json under which the checksums of all files stand; tensor files carry theirs too.
inline constexpr const char* kFileChecksums = "crc32";

inline constexpr uint64_t kMaxJsonBytes = uint64_t{1} << 32;

// What is put behind the name of a damaged checkpoint, with a number from the second of a step on.
inline constexpr const char* kDamaged = ".damaged";

// What is put behind the name of a removed one that held files of somebody else, likewise.
inline constexpr const char* kRest = ".rest";

// `path` with `what` behind it, and a number where that is taken.
std::filesystem::path free_name(const std::filesystem::path& path, const char* what);

// The folders that are called like a checkpoint, complete or not, ascending by step.
std::vector<Checkpoint> step_folders(const std::filesystem::path& folder);

// The step of "step-001000"; nothing for another name.
std::optional<int64_t> step_of(const std::string& name);

// zlib's crc32 of the text of a checkpoint's JSON file, as eight hexadecimal digits; of counters.json as it would be with
// eight zeros in place of its own checksum.
std::string json_checksum(std::string text);

// Of one of kCheckpointFiles but counters.json: that of its text, or what a tensor file says of itself ("": nothing).
std::string file_checksum(const std::filesystem::path& checkpoint, const std::string& file);

}  // namespace ddpm
