#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "ddpm/core/descriptor.h"
#include "ddpm/core/files.h"

namespace ddpm {

// Where a StagedFolder of this name can appear: behind links, without a slash at its end. user_error, to be had before the
// work: no rename can replace the current folder or a mount point.
fs::path place_of_folder(const fs::path& folder);

// A folder that appears whole or not at all: fill path(), then commit() fsyncs every file and renames it to `target`.
// Until then it is called `.NAME.partial` beside the target and locked; the destructor removes it, and what a kill left is
// taken over. user_error: another process makes the same folder.
class StagedFolder {
public:
    explicit StagedFolder(fs::path target);
    ~StagedFolder();
    StagedFolder(const StagedFolder&) = delete;
    StagedFolder& operator=(const StagedFolder&) = delete;

    const fs::path& path() const { return partial_; }

    // Replaces a target that holds something only with `replace`; else the folder is called NAME-2, NAME-3, … and a warning
    // says so. Returns where it is.
    fs::path commit(bool replace);

private:
    fs::path target_, partial_;
    Descriptor descriptor_;
    bool committed_ = false;
};

// Of ".NAME.partial" (or of ".NAME.old.partial", as StagedFolder moves aside what it replaces) NAME, of anything else "".
std::string name_of_partial(const std::string& file);

// Removes from `folder` what a kill left half-written under names that are `ours`; what a process still fills stays.
// Returns how many.
int sweep_partial(const fs::path& folder, const std::function<bool(const std::string& name)>& ours);

}  // namespace ddpm
