#pragma once

#include <filesystem>
#include <optional>

#include "ddpm/core/descriptor.h"
#include "ddpm/core/files.h"

namespace ddpm {

// Keeps a folder for one process by an flock on the file `.lock` in it. The system releases the lock when the process ends,
// in whatever way. It is a user_error if another process has the lock or the file can't be made, and a runtime_failure if
// the disk is full or broken. On a file system without locks it only logs a warning.
class FolderLock {
public:
    explicit FolderLock(const fs::path& folder);

private:
    Descriptor descriptor_;
};

// Tells whether a path still leads to the folder that it led to at first. If the folder can't be opened, is_in_place() is
// always true.
class FolderWatch {
public:
    explicit FolderWatch(fs::path folder);

    bool is_in_place() const;
    // Returns where the folder is now, or nothing if it was removed or the system does not say.
    std::optional<fs::path> place() const;

private:
    fs::path folder_;
    Descriptor descriptor_;
};

}  // namespace ddpm
