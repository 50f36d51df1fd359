#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ddpm/core/json.h"
#include "ddpm/run/run_folder.h"

namespace ddpm::run {

// The files of a checkpoint, relative to its folder.
inline constexpr const char* kEmaWeights = "unet/diffusion_pytorch_model.safetensors";
inline constexpr const char* kRawWeights = "training/weights.safetensors";
inline constexpr const char* kOptimizer = "training/optimizer.safetensors";
inline constexpr const char* kCounters = "training/counters.json";
inline constexpr const char* kConfig = "training/config.json";
inline constexpr const char* kLabels = "training/labels.json";
inline constexpr const char* kCheckpointFiles[] = {"model_index.json",
                                                   "scheduler/scheduler_config.json",
                                                   "unet/config.json",
                                                   kEmaWeights,
                                                   kRawWeights,
                                                   kOptimizer,
                                                   kCounters,
                                                   kConfig,
                                                   kLabels};

// The key of counters.json that holds the checksums of all files. Tensor files hold their own too.
inline constexpr const char* kFileChecksums = "crc32";

// labels.json holds a name for every class, which may be ten million; it takes some ten times as much memory when it is read.
inline constexpr uint64_t kMaxLabelsBytes = uint64_t{256} << 20;

// The key of counters.json that says which average a folder of `ddpm ema` holds. Such a folder has neither raw weights nor an
// optimizer.
inline constexpr const char* kRebuilt = "rebuilt_average";

// How large a JSON file of a checkpoint may be.
inline uint64_t max_json_bytes(std::string_view file) { return file == kLabels ? kMaxLabelsBytes : kMaxJsonFileBytes; }

// The suffix of the name of a damaged checkpoint. A number follows it from the second one of a step on.
inline constexpr const char* kDamaged = ".damaged";

// The suffix of the name of a removed checkpoint that held files no run has written, numbered likewise.
inline constexpr const char* kRest = ".rest";

// Returns `path` with `what` behind it, and a number behind that if the name is taken.
std::filesystem::path free_name(const std::filesystem::path& path, const char* what);

// Returns the folders that have a checkpoint's name, complete or not, ascending by step.
std::vector<Checkpoint> step_folders(const std::filesystem::path& folder);

// Returns the step of "step-001000", and nothing for another name.
std::optional<int64_t> step_of(const std::string& name);

// Returns zlib's crc32 of the text of a checkpoint's JSON file, as eight hexadecimal digits. In counters.json eight
// zeros take the place of its own checksum.
std::string json_checksum(std::string text);

// Writes counters.json of a checkpoint, the last of its files, with the checksums of all files that are there.
void write_counters(const std::filesystem::path& checkpoint, Json counters);

// Returns the checksum of one of kCheckpointFiles other than counters.json: that of a JSON file's text, or the one that
// a tensor file holds, which is "" if it holds none.
std::string file_checksum(const std::filesystem::path& checkpoint, const std::string& file);

}  // namespace ddpm::run
