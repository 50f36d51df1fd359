#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "ddpm/core/descriptor.h"

namespace ddpm {

namespace fs = std::filesystem;

// ---- What is there

// Whether a path leads to something, to a folder, to a regular file. Links are followed; false too where the system does
// not say (type_of throws then).
bool is_present(const fs::path& path);
bool is_folder(const fs::path& path);
bool is_file(const fs::path& path);

// Whether a path leads to a device, a pipe or a socket: renaming a file over it would take its place.
bool is_special(const fs::path& path);

// The type of what bears this name itself: a link is a link. not_found or none where there is nothing or the system does
// not say.
fs::file_type own_type(const fs::path& path);

// The type of what a path leads to; not_found where there is nothing. Unreadable: the system does not say.
fs::file_type type_of(const fs::path& path);

// What a symbolic link leads to, there or not; any other path as it is.
fs::path behind_links(fs::path path);

// The folder that a path lies in: "." for a name alone.
fs::path folder_of(const fs::path& path);

// What lies directly in a folder, sorted by path; nothing where there is none. Unreadable: it can't be listed.
std::vector<fs::path> entries_of(const fs::path& folder);

// Regular files directly in `folder` or below it (recursive), sorted by path bytes; symlink loops are not followed.
std::vector<fs::path> list_files(const fs::path& folder, bool recursive);

// ---- Reading

// Unreadable: a path that is missing or can't be opened.
Descriptor open_to_read(const fs::path& path);

// The whole file. A path that is missing, a folder or larger than `max_bytes` is a user_error that begins with the path, one
// that can't be read an Unreadable.
std::string read_file(const fs::path& path, uint64_t max_bytes);

// ---- Writing

// write(2) until all is written. Returns 0 or the errno.
int write_all(int descriptor, const char* bytes, size_t count);

// Writes beside (a name that begins with a dot), fsyncs, renames over `path` (or what it links to), fsyncs the folder:
// after a kill or a loss of power there is the old file or the new one, whole. A file that is replaced keeps its mode, and
// its owner and group where the system lets this process give them. A device or a pipe is refused, and so is a file that
// another process writes now. Creates no folders. Throws runtime_failure: then the old file is there as it was and nothing
// is left beside it, unless it is the folder's fsync that fails, the last step: then the new file is there, and a loss of
// power may still bring back the old one.
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
    Descriptor descriptor_;
    std::string waiting_;  // small pieces on their way into one write
};

// mkdir -p, each new name fsynced; an obstacle (a file in the way, no permission) is a user_error that names it, a full or
// broken disk a runtime_failure.
void make_folders(const fs::path& folder);

// user_error: no permission to make anything in this folder, or a read-only file system.
void check_writable(const fs::path& folder);

}  // namespace ddpm
