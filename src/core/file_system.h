#pragma once

#include <filesystem>
#include <string_view>

#include <sys/stat.h>

#include "ddpm/core/descriptor.h"

// Functions that files, staging and locks share.
namespace ddpm::core {

namespace fs = std::filesystem;

inline constexpr std::string_view kPartial = ".partial";

// How many times to open and lock the file of a name until is_same_file agrees. It may never agree on a file system that
// numbers its files anew each time.
inline constexpr int kLockTries = 100;

// Returns ".NAME.partial" beside the target.
fs::path partial_name(const fs::path& target);

// Whether a partial file with something in it is somebody else's: it lacks the mark that this program gives to its own.
bool is_others_partial(const struct stat& status);

// Whether an errno speaks of the disk (full, over quota, broken) rather than of a path that the user gave.
bool is_fault_of_disk(int code);

// Whether an errno says that nothing can be written at this path: a read-only file system, no permission, a name that is too long,
// no folder, or a file where a folder should be.
bool is_fault_of_path(int code);

// Throws the error "PATH: can't write: …": a user_error for a fault of the path, a runtime_failure for anything else.
[[noreturn]] void write_failed(const fs::path& path, int code);

bool is_same_file(const Descriptor& descriptor, const fs::path& path);

// Locks without waiting. Returns false if another process has the lock, and true on a file system without locks.
bool lock(const Descriptor& descriptor);

// Calls fsync, and write_failed if that fails.
void sync_file(const fs::path& file);
// Does the same for a folder. Nothing is thrown for a folder that may be written into but not read, or on a file system that
// has no fsync for folders.
void sync_folder(const fs::path& folder);

}  // namespace ddpm::core
