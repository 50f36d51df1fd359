#pragma once

#include <filesystem>
#include <optional>

#include "ddpm/core/descriptor.h"
#include "ddpm/core/files.h"

namespace ddpm {

// Keeps a folder for one process: an flock on the file `.lock` in it, which the system lets go of when the process ends,
// in whatever way. user_error: another process has it; the file can't be made. A file system without locks is warned about.
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
    // Where the folder is now; nothing when it was removed.
    std::optional<fs::path> place() const;

private:
    fs::path folder_;
    Descriptor descriptor_;
};

}  // namespace ddpm
