#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace ddpm {

// A run with train.tensorboard keeps event files in tensorboard/, one for each session:
// tensorboard/events.out.tfevents.1764489600.host.ddpm. TensorBoard reads them in the order of their names.

// Whether a run gives such a name.
bool is_event_file_name(const std::string& name);

// Returns the event files of a run, in the order in which TensorBoard reads them; none if it has no tensorboard/.
std::vector<std::filesystem::path> list_event_files(const std::filesystem::path& run);

// Returns a path for the event file of a session that begins at `unix_seconds`. It comes after all that are there, whatever the
// clock says.
std::filesystem::path new_event_file(const std::filesystem::path& run, double unix_seconds);

// Removes the event files of a run.
void remove_event_files(const std::filesystem::path& run);

}  // namespace ddpm
