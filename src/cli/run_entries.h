#pragma once

#include <filesystem>
#include <optional>

namespace ddpm {

// Whether the folder holds anything under a name that a run gives.
bool holds_run(const std::filesystem::path& folder);

// The first path that bears such a name and that no run has made, so that a run would replace what is somebody's own.
std::optional<std::filesystem::path> foreign_entry(const std::filesystem::path& folder);

// Removes what a run has made, but for config.json, which the next one replaces. Folders stay, which may be links.
// runtime_failure: something can't be removed.
void remove_run(const std::filesystem::path& folder);

}  // namespace ddpm
