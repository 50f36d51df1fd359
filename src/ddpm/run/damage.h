#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ddpm/run/run_folder.h"

namespace ddpm {

// The files of a checkpoint of this program that have to be sound. `drawing` are those that sampling from the EMA
// network reads, `raw` adds the raw weights, `all` is everything.
enum class NeededFiles { drawing, raw, all };

// Returns why a checkpoint of this program can't be used, as in "training/optimizer.safetensors is missing", or nothing
// if every needed file is there and matches its checksum. Reads all of them. In checkpoints from before there were
// checksums, it only checks that files have the right sizes and can be read. A file that the system does not allow to
// be read is no damage; for it, all functions here throw an Unreadable.
std::optional<std::string> damage_of(const std::filesystem::path& checkpoint, NeededFiles needed);

// Returns the newest sound checkpoint among the folder's step-… folders, with one warning for each newer one that is
// damaged. Returns nothing if there is no checkpoint at all. If all of them are damaged, it is a user_error.
std::optional<std::filesystem::path> newest_sound(const std::filesystem::path& checkpoints, NeededFiles needed);

// Renames the checkpoints that newest_sound passes over to step-….damaged, so that neither a resumed run nor its
// pruning takes them for checkpoints again. Returns what newest_sound returns. It must be called before the run is
// resumed.
std::optional<std::filesystem::path> set_damaged_aside(const std::filesystem::path& run);

}  // namespace ddpm
