#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "ddpm/core/descriptor.h"

namespace ddpm {

namespace fs = std::filesystem;

// ---- What is there

// Whether a path leads to anything, to a folder, or to a regular file. Links are followed. The answer is also false if the
// system does not say; type_of throws then.
bool is_present(const fs::path& path);
bool is_folder(const fs::path& path);
bool is_file(const fs::path& path);

// Whether a path leads to a device, a pipe or a socket. A file renamed to such a path would replace it.
bool is_special(const fs::path& path);

// Returns the type of the path itself; links are not followed. The type is not_found if there is nothing, and none if the
// system does not say.
fs::file_type own_type(const fs::path& path);

// Returns the type of what a path leads to, or not_found if there is nothing. Throws Unreadable if the system does not say.
fs::file_type type_of(const fs::path& path);

// Returns what a symbolic link leads to, whether that exists or not. Returns any other path as it is. After 40 links, as in
// a circle, the result is still a link.
fs::path behind_links(fs::path path);

// Returns the folder that a path lies in: "." for a name alone.
fs::path folder_of(const fs::path& path);

// Returns the paths of what lies directly in a folder, sorted by bytes, and nothing if there is no such folder. Throws
// Unreadable if the folder can't be listed.
std::vector<fs::path> entries_of(const fs::path& folder);

// Returns the regular files directly in `folder` and, if `recursive`, in all folders below it, sorted by path bytes. Links
// are followed, but no folder is visited twice. A missing folder has no files; one that can't be listed is a user_error.
std::vector<fs::path> list_files(const fs::path& folder, bool recursive);

// ---- Reading

// Opens a file for reading. A path that is missing is a user_error; one that can't be opened is an Unreadable.
Descriptor open_to_read(const fs::path& path);

// Reads a whole file. A path that is missing, a folder or larger than `max_bytes` is a user_error that begins with the path;
// one that can't be read is an Unreadable.
std::string read_file(const fs::path& path, uint64_t max_bytes);

// ---- Writing

// Calls write(2) until all `count` bytes are written. Returns 0 or the errno.
int write_all(int descriptor, const char* bytes, size_t count);

// Writes a file whole or not at all. It writes a file beside `path`, whose name begins with a dot, fsyncs it, renames it to
// `path` (or to what `path` links to) and fsyncs the folder. After a kill or a loss of power either the old file or the new
// one is there, whole. The new file gets the mode of the one that it replaces, and its owner and group if the system lets
// this process give them. No folders are created.
// A path that can't be written to (no permission, a read-only file system, a name that is too long) is a user_error. Any other
// failure is a runtime_failure: a full disk, a folder, a device or a pipe in the place of the file, another process that is
// writing this file. The old file is then unchanged and nothing is left beside it. Only if the last step fails, the fsync of
// the folder, the new file is there, and a loss of power may still bring back the old one.
// What a kill has left of an earlier file is taken over. Somebody else's file of that name, `.NAME.partial`, is a user_error.
void write_file(const fs::path& path, std::string_view bytes);

// Does what write_file does, in pieces, for files that should not be held in memory twice. The file appears with commit().
class FileWriter {
public:
    explicit FileWriter(const fs::path& path);
    ~FileWriter();  // removes a file that was not committed
    FileWriter(const FileWriter&) = delete;
    FileWriter& operator=(const FileWriter&) = delete;

    void write(const void* bytes, size_t count);
    // Replaces the bytes at `offset`, all of which must have been written before.
    void overwrite(uint64_t offset, std::string_view bytes);
    void commit();

private:
    void flush();

    fs::path path_, partial_;
    Descriptor descriptor_;
    mode_t mode_ = 0;      // of the finished file
    std::string waiting_;  // small pieces that are gathered for one write
};

// Throws that user_error, before any work is done.
void check_partial_file(const fs::path& path);

// Makes a folder and the missing ones above it, and fsyncs each new name. A link that leads to nothing gets its folder where
// it leads. An obstacle (a file in the way, no permission) is a user_error that names it; a full or broken disk is a
// runtime_failure.
void make_folders(const fs::path& folder);

// Throws a user_error if this process can't make anything in the folder: no permission, a read-only file system, no folder.
void check_writable(const fs::path& folder);

// Throws the same error, before any work is done, if nothing can be made at `path`: it asks the nearest folder above `path` that
// is there.
void check_can_make(const fs::path& path);

// Returns the path without its "x/.." where there is no x, because the system does not go through what is not there. Any other
// ".." stays, because x may be a link.
fs::path without_detours(const fs::path& path);

}  // namespace ddpm
