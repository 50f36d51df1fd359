#pragma once

#include <filesystem>
#include <optional>

namespace ddpm {

// Whether a file is the config.json that a run keeps in its folder, sound or damaged.
bool is_config_of_run(const std::filesystem::path& file);

// Whether the folder holds anything under a name that a run gives.
bool holds_run(const std::filesystem::path& folder);

// The first path that a run in this folder would replace and that no run has made; with `all`, and where no run has been
// yet, whatever lies among its files.
std::optional<std::filesystem::path> foreign_entry(const std::filesystem::path& folder, bool all);

// Removes what a run has made, but for config.json, which the next one replaces. Folders stay, which may be links.
// user_error: something may not be removed, and nothing was; runtime_failure: it can't be.
void remove_run(const std::filesystem::path& folder);
// Does what is left to do when a kill came in between; otherwise nothing.
void finish_removal(const std::filesystem::path& folder);

}  // namespace ddpm
