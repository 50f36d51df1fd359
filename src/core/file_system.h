#pragma once

#include <filesystem>
#include <string_view>

#include "ddpm/core/descriptor.h"

// What files, staging and locks share.
namespace ddpm::core {

namespace fs = std::filesystem;

inline constexpr std::string_view kPartial = ".partial";

// How often to try to lock what bears a name; some file systems may number their files anew each time.
inline constexpr int kLockTries = 100;

// ".NAME.partial" beside the target.
fs::path partial_name(const fs::path& target);

// Whether an errno speaks of the disk (full, over quota, broken) rather than of a path that the user gave.
bool is_fault_of_disk(int code);

// runtime_failure.
[[noreturn]] void write_failed(const fs::path& path, int code);

bool is_same_file(const Descriptor& descriptor, const fs::path& path);

// False when another process has the lock. Where there are no locks, everybody gets one.
bool lock(const Descriptor& descriptor);

// fsync; write_failed where that fails.
void sync_file(const fs::path& file);
// A folder that may be written into but not read, and a file system that has no fsync for folders, are let be.
void sync_folder(const fs::path& folder);

}  // namespace ddpm::core
