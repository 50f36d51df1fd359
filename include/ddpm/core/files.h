#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ddpm {

namespace fs = std::filesystem;

// A descriptor, for the caller to close. Unreadable: a path that is missing or can't be opened.
int open_to_read(const fs::path& path);

// The whole file. A path that is missing, a folder or larger than `max_bytes` is a user_error that begins with the path, one
// that can't be read an Unreadable.
std::string read_file(const fs::path& path, uint64_t max_bytes);

// write(2) until all is written. Returns 0 or the errno.
int write_all(int descriptor, const char* bytes, size_t count);

// Writes beside (a name that begins with a dot), fsyncs, renames over `path` (or what it links to), fsyncs the folder:
// after a kill or a loss of power there is the old file or the new one, whole. A device or a pipe is refused, and so is a
// file that another process writes now. Creates no folders. Throws runtime_failure and leaves nothing behind.
void write_file(const fs::path& path, std::string_view bytes);

// write_file in pieces, for files that should not be held in memory twice.
class FileWriter {
public:
    explicit FileWriter(const fs::path& path);
    ~FileWriter();  // removes what was not committed
    FileWriter(const FileWriter&) = delete;
    FileWriter& operator=(const FileWriter&) = delete;

    void write(const void* bytes, size_t count);
    // Replaces `bytes` at `offset`, all of which was written before.
    void overwrite(uint64_t offset, std::string_view bytes);
    void commit();

private:
    void flush();

    fs::path path_, partial_;
    int descriptor_ = -1;
    std::string waiting_;  // small pieces on their way into one write
};

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
    int descriptor_ = -1;
    bool committed_ = false;
};

// Keeps a folder for one process: an flock on the file `.lock` in it, which the system lets go of when the process ends,
// in whatever way. user_error: another process has it; the file can't be made. A file system without locks is warned about.
class FolderLock {
public:
    explicit FolderLock(const fs::path& folder);
    ~FolderLock();
    FolderLock(const FolderLock&) = delete;
    FolderLock& operator=(const FolderLock&) = delete;

private:
    int descriptor_ = -1;
};

// Tells whether a path still leads to the folder that it led to at first. One that can't be opened is not told of.
class FolderWatch {
public:
    explicit FolderWatch(fs::path folder);
    ~FolderWatch();
    FolderWatch(const FolderWatch&) = delete;
    FolderWatch& operator=(const FolderWatch&) = delete;

    bool is_in_place() const;
    // Where the folder is now; nothing when it was removed.
    std::optional<fs::path> place() const;

private:
    fs::path folder_;
    int descriptor_ = -1;
};

// Of ".NAME.partial" (or of ".NAME.old.partial", as StagedFolder moves aside what it replaces) NAME, of anything else "".
std::string name_of_partial(const std::string& file);

// Removes from `folder` what a kill left half-written under names that are `ours`; what a process still fills stays.
// Returns how many.
int sweep_partial(const fs::path& folder, const std::function<bool(const std::string& name)>& ours);

// A file that the user named as a result: the folder it goes into must be there and writable, and the name, and that of
// what it links to, must be of a PNG or a table, so that a slip replaces no configuration, checkpoint or data. Else a
// user_error that begins with `flag`; asked before the work, not after it.
enum class Written { picture, table };
void check_place(const std::string& flag, const fs::path& file, Written kind);

// The same for several, which must differ; an empty path was not asked for.
struct Place {
    std::string flag;
    fs::path file;
    Written kind = Written::picture;
};
void check_places(const std::vector<Place>& files);

// mkdir -p, each new name fsynced; an obstacle (a file in the way, no permission) is a user_error that names it, a full or
// broken disk a runtime_failure.
void make_folders(const fs::path& folder);

// user_error: no permission to make anything in this folder, or a read-only file system.
void check_writable(const fs::path& folder);

// Of what a path leads to; not_found where there is nothing. Unreadable: the system does not say.
fs::file_type type_of(const fs::path& path);

// What lies directly in a folder, sorted by path; nothing where there is none. Unreadable: it can't be listed.
std::vector<fs::path> entries_of(const fs::path& folder);

// Regular files directly in `folder` or below it (recursive), sorted by path bytes; symlink loops are not followed.
std::vector<fs::path> list_files(const fs::path& folder, bool recursive);

}  // namespace ddpm
