#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "ddpm/core/files.h"

namespace ddpm {

// Returns the path at which a StagedFolder of this name can appear: absolute, links followed, without a slash at its end.
// The current folder, a mount point and a circle of links are user_errors, because no rename can replace them, and so is somebody
// else's folder that has the name of a half-made one; call this before the work.
fs::path place_of_folder(const fs::path& folder);

// A folder that appears whole or not at all: fill path(), then commit() fsyncs every file and renames the folder to `target`.
// Until then it is called `.NAME.partial` and lies beside the target; a lock on `.NAME.lock.partial` keeps the name for this
// process. The destructor removes it if it was not committed. What a kill has left of an earlier one, as its lock file shows,
// is removed; a target that it had moved aside as `.NAME.old.partial` gets its name back. It is a user_error if another process
// is making the same folder, if one of these names belongs to somebody else, or if nothing can be made here.
class StagedFolder {
public:
    explicit StagedFolder(fs::path target);
    ~StagedFolder();
    StagedFolder(const StagedFolder&) = delete;
    StagedFolder& operator=(const StagedFolder&) = delete;

    const fs::path& path() const { return partial_; }

    // Gives the folder its name and returns its path. A target that is missing or empty gives way; any other is replaced
    // only with `replace`. Without it the folder is called NAME-2, NAME-3, … and a warning says so.
    fs::path commit(bool replace);

private:
    struct Claim;

    fs::path target_, partial_;
    std::unique_ptr<Claim> claim_;
    bool committed_ = false;
};

// Returns NAME for ".NAME.partial", ".NAME.old.partial" and ".NAME.lock.partial". Returns "" for any other name.
std::string name_of_partial(const std::string& file);

// Removes from `folder` the partial files and folders that a kill has left, if ours(NAME) is true (name_of_partial). Those
// that a process still holds locked stay, and a folder that was moved aside and not replaced gets its name back. Somebody else's
// stay with a warning: files without the mark of this program, and folders that hold something, have no lock file beside them and
// are not known by is_left(FOLDER). Returns how many were removed, lock files not counted.
int sweep_partial(const fs::path& folder, const std::function<bool(const std::string& name)>& ours,
                  const std::function<bool(const fs::path& folder)>& is_left = {});

}  // namespace ddpm
