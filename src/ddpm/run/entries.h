#pragma once

#include <filesystem>
#include <optional>

namespace ddpm {

// Whether a file is the config.json that a run keeps in its folder, sound or damaged.
bool is_config_of_run(const std::filesystem::path& file);

// Whether the folder holds anything under a name that a run gives.
bool holds_run(const std::filesystem::path& folder);

// Returns the first path that a run in this folder would replace and that no run has made. With `all`, and if there has
// been no run yet, it also returns foreign paths that lie among the files of a run.
std::optional<std::filesystem::path> foreign_entry(const std::filesystem::path& folder, bool all);

// Removes what a run has made. config.json stays, because the next run replaces it; so do samples/ and links to
// folders. If something may not be removed, it is a user_error and nothing has been removed; if removing fails, it is a
// runtime_failure.
void remove_run(const std::filesystem::path& folder);
// Finishes a removal that a kill has interrupted; otherwise does nothing.
void finish_removal(const std::filesystem::path& folder);

}  // namespace ddpm
