#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/run/run_folder.h"

namespace ddpm {

// Which files of a checkpoint of ours count: what one draws from (the EMA network), the raw weights too, or everything.
enum class NeededFiles { drawing, raw, all };

// Why a checkpoint of ours can't be used, as in "training/optimizer.safetensors is missing"; nothing when every file is
// there and is what its checksum says. Reads all of them. Checkpoints from before there were checksums are held to
// their sizes and to being readable. What the system does not let be read is no damage but an Unreadable, here and below.
std::optional<std::string> damage_of(const std::filesystem::path& checkpoint, NeededFiles needed);

// The newest sound checkpoint among the folder's step-… folders, with one warning for each newer one that is damaged;
// nothing when there is none at all. user_error when all of them are damaged.
std::optional<std::filesystem::path> newest_sound(const std::filesystem::path& checkpoints, NeededFiles needed);

// Before a run is resumed: renames what newest_sound would pass over to step-….damaged, so that neither the run nor its
// pruning takes it for a checkpoint again. Returns what newest_sound does.
std::optional<std::filesystem::path> set_damaged_aside(const std::filesystem::path& run);

}  // namespace ddpm
