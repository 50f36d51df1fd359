#include "ddpm/core/files.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <spdlog/fmt/fmt.h>

#include "core/file_system.h"
#include "ddpm/core/error.h"
#include "ddpm/core/file_kind.h"
#include "ddpm/core/normal_form.h"

namespace ddpm {

namespace {

constexpr size_t kWriteAtOnce = 1 << 20;

[[noreturn]] void unreadable(const std::string& name, const char* what) {
    if (errno == ENOENT) user_error(fmt::format("{}: {}: {}", name, what, std::strerror(errno)), advice_for_missing(name));
    throw Unreadable(Error::Kind::user, fmt::format("{}: {}: {}", name, what, std::strerror(errno)));
}

// Partial files have this bit, which has no meaning for files, so that a later process knows whose they are.
constexpr mode_t kOwnPartial = S_ISVTX;

// Gives a new file the owner and group of the one that it replaces where the system allows it. Returns the mode that it should get.
mode_t keep_owner(const Descriptor& file, const fs::path& replaced) {
    struct stat old {
    }, now{};
    if (::fstat(file.get(), &now) != 0) return 0600;
    if (::stat(replaced.c_str(), &old) != 0) return now.st_mode & 0777;
    constexpr auto unchanged = static_cast<uid_t>(-1);
    [[maybe_unused]] const bool owner = now.st_uid == old.st_uid || ::fchown(file.get(), old.st_uid, unchanged) == 0;
    const bool group = now.st_gid == old.st_gid || ::fchown(file.get(), unchanged, old.st_gid) == 0;
    return old.st_mode & (group ? 0777 : 0707);  // another group does not get the old group's rights
}

[[noreturn]] void refuse_others_partial(const fs::path& partial) {
    user_error(partial.string() + ": is in the way, and this program has not left it there; move it, or take another name");
}

[[noreturn]] void refuse_what_is_no_file(const fs::path& partial) {
    user_error(partial.string() + ": is in the way, and no file; move it, or take another name");
}

// Opens the partial file of `path`, locked and empty.
Descriptor take_partial(const fs::path& partial, const fs::path& path) {
    for (int tries = 1;; ++tries) {
        Descriptor file(::open(partial.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666));
        struct stat status {};
        if (!file && errno != ELOOP && errno != ENXIO && errno != EISDIR) core::write_failed(path, errno);
        if (!file || (::fstat(file.get(), &status) == 0 && !S_ISREG(status.st_mode))) refuse_what_is_no_file(partial);
        if (!core::lock(file)) runtime_failure(path.string() + ": another process writes this file now");
        // The process that had the lock before may have renamed the file.
        if (core::is_same_file(file, partial) && ::fstat(file.get(), &status) == 0) {
            if (core::is_others_partial(status)) refuse_others_partial(partial);
            if (status.st_size == 0 || ::ftruncate(file.get(), 0) == 0) return file;  // a kill has left what is in it
        }
        if (tries == core::kLockTries) core::write_failed(path, EBUSY);
    }
}

}  // namespace

namespace core {

fs::path partial_name(const fs::path& target) {
    return target.parent_path() / fmt::format(".{}{}", target.filename().string(), kPartial);
}

bool is_others_partial(const struct stat& status) {
    return S_ISREG(status.st_mode) && status.st_size > 0 && (status.st_mode & kOwnPartial) == 0;
}

bool is_fault_of_disk(int code) { return code == ENOSPC || code == EDQUOT || code == EIO || code == EFBIG; }

bool is_fault_of_path(int code) {
    return code == EROFS || code == EACCES || code == EPERM || code == ENAMETOOLONG || code == ENOENT || code == ENOTDIR ||
           code == ELOOP;
}

void write_failed(const fs::path& path, int code) {
    throw Error(is_fault_of_path(code) ? Error::Kind::user : Error::Kind::runtime,
                fmt::format("{}: can't write: {}", path.string(), std::strerror(code)),
                code == ENOSPC  ? "free some space"
                : code == EFBIG ? "`ulimit -f` or the file system allows no larger file"
                                : "");
}

bool is_same_file(const Descriptor& descriptor, const fs::path& path) {
    struct stat one {
    }, other{};
    return ::fstat(descriptor.get(), &one) == 0 && ::stat(path.c_str(), &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

bool lock(const Descriptor& descriptor) { return ::flock(descriptor.get(), LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK; }

void sync_file(const fs::path& file) {
    const Descriptor opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened || ::fsync(opened.get()) != 0) write_failed(file, errno);
}

void sync_folder(const fs::path& folder) {
    const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!opened && errno == EACCES) return;
    if (!opened) write_failed(folder, errno);
    if (::fsync(opened.get()) != 0 && errno != EINVAL && errno != ENOTSUP) write_failed(folder, errno);
}

}  // namespace core

bool is_present(const fs::path& path) {
    std::error_code ignored;
    return fs::exists(path, ignored);
}

bool is_folder(const fs::path& path) {
    std::error_code ignored;
    return fs::is_directory(path, ignored);
}

bool is_file(const fs::path& path) {
    std::error_code ignored;
    return fs::is_regular_file(path, ignored);
}

bool is_special(const fs::path& path) {
    std::error_code ignored;
    return fs::is_other(path, ignored);
}

fs::file_type own_type(const fs::path& path) {
    std::error_code ignored;
    return fs::symlink_status(path, ignored).type();
}

fs::file_type type_of(const fs::path& path) {
    std::error_code error;
    const fs::file_type type = fs::status(path, error).type();
    if (type == fs::file_type::none)
        throw Unreadable(Error::Kind::user, fmt::format("{}: can't read: {}", path.string(), error.message()));
    return type;
}

fs::path behind_links(fs::path path) {
    std::error_code error;
    for (int links = 0; links < 40 && fs::is_symlink(path, error); ++links)
        path = path.parent_path() / fs::read_symlink(path, error);
    return path;
}

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

std::vector<fs::path> entries_of(const fs::path& folder) {
    std::vector<fs::path> entries;
    std::error_code error;
    fs::directory_iterator entry(folder, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) entries.push_back(entry->path());
    const bool missing = error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory ||
                         error == std::errc::filename_too_long;
    if (error && !missing) throw Unreadable(Error::Kind::user, fmt::format("{}: can't list: {}", folder.string(), error.message()));
    std::sort(entries.begin(), entries.end(), [](const fs::path& a, const fs::path& b) { return a.native() < b.native(); });
    return entries;
}

std::vector<fs::path> list_files(const fs::path& folder, bool recursive) {
    std::vector<fs::path> files;
    std::set<std::pair<dev_t, ino_t>> visited;
    std::vector<fs::path> pending{folder};
    while (!pending.empty()) {
        const fs::path current = pending.back();
        pending.pop_back();
        struct stat status {};
        if (::stat(current.c_str(), &status) != 0 || !visited.insert({status.st_dev, status.st_ino}).second) continue;
        std::error_code error;
        fs::directory_iterator entries(current, error);
        if (error) user_error(fmt::format("{}: can't list: {}", current.string(), error.message()));
        for (const auto& entry : entries) {
            std::error_code ignored;
            if (entry.is_regular_file(ignored))
                files.push_back(entry.path());
            else if (recursive && entry.is_directory(ignored))
                pending.push_back(entry.path());
        }
    }
    std::sort(files.begin(), files.end(), [](const fs::path& a, const fs::path& b) { return a.native() < b.native(); });
    return files;
}

Descriptor open_to_read(const fs::path& path) {
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) unreadable(path.string(), "can't open");
    return file;
}

std::string read_file(const fs::path& path, uint64_t max_bytes) {
    const std::string name = path.string();
    const Descriptor file = open_to_read(path);
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) unreadable(name, "can't read");
    if (S_ISDIR(status.st_mode)) user_error(fmt::format("{}: is a folder, expected a file", name));
    const auto too_large = [&](uint64_t size) {
        user_error(fmt::format("{}: {} bytes or more, larger than the {} bytes that such a file may have", name, size, max_bytes));
    };
    if (S_ISREG(status.st_mode) && static_cast<uint64_t>(status.st_size) > max_bytes)
        too_large(static_cast<uint64_t>(status.st_size));
    std::string bytes;
    if (S_ISREG(status.st_mode)) bytes.reserve(static_cast<size_t>(status.st_size) + 1);
    char buffer[1 << 16];
    for (;;) {
        const ssize_t count = ::read(file.get(), buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) unreadable(name, "can't read");
        if (count == 0) return bytes;
        if (bytes.size() + static_cast<size_t>(count) > max_bytes) too_large(bytes.size() + static_cast<size_t>(count));
        bytes.append(buffer, static_cast<size_t>(count));
    }
}

int write_all(int descriptor, const char* bytes, size_t count) {
    while (count > 0) {
        const ssize_t written = ::write(descriptor, bytes, count);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return errno;
        bytes += written;
        count -= static_cast<size_t>(written);
    }
    return 0;
}

void write_file(const fs::path& path, std::string_view bytes) {
    FileWriter writer(path);
    writer.write(bytes.data(), bytes.size());
    writer.commit();
}

FileWriter::FileWriter(const fs::path& path) : path_(behind_links(path)), partial_(core::partial_name(path_)) {
    if (is_folder(path_)) runtime_failure(path_.string() + ": is a folder, expected a file's name");
    if (is_special(path_)) runtime_failure(path_.string() + ": is a device or a pipe, expected a file's name");
    descriptor_ = take_partial(partial_, path_);
    mode_ = keep_owner(descriptor_, path_);
    ::fchmod(descriptor_.get(), mode_ | kOwnPartial);
}

FileWriter::~FileWriter() {
    if (descriptor_) ::unlink(partial_.c_str());
}

void FileWriter::write(const void* bytes, size_t count) {
    if (waiting_.size() + count > kWriteAtOnce) flush();
    if (count > kWriteAtOnce) {
        if (const int code = write_all(descriptor_.get(), static_cast<const char*>(bytes), count)) core::write_failed(path_, code);
    } else {
        waiting_.append(static_cast<const char*>(bytes), count);
    }
}

void FileWriter::flush() {
    if (const int code = write_all(descriptor_.get(), waiting_.data(), waiting_.size())) core::write_failed(path_, code);
    waiting_.clear();
}

void FileWriter::overwrite(uint64_t offset, std::string_view bytes) {
    flush();
    const ssize_t written = ::pwrite(descriptor_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written != static_cast<ssize_t>(bytes.size())) core::write_failed(path_, written < 0 ? errno : EIO);
}

void FileWriter::commit() {
    flush();
    if (::fsync(descriptor_.get()) != 0) core::write_failed(path_, errno);
    // The descriptor is closed after the rename, because that releases the lock: until then no other process may take over
    // the partial file.
    if (::rename(partial_.c_str(), path_.c_str()) != 0) core::write_failed(path_, errno);
    ::fchmod(descriptor_.get(), mode_);  // a kill before the rename leaves a file that is known as this program's
    descriptor_.close();
    core::sync_folder(folder_of(path_));
}

void check_partial_file(const fs::path& path) {
    const fs::path partial = core::partial_name(behind_links(path));
    struct stat status {};
    if (::lstat(partial.c_str(), &status) != 0) return;
    if (!S_ISREG(status.st_mode)) refuse_what_is_no_file(partial);
    if (core::is_others_partial(status)) refuse_others_partial(partial);
}

void make_folders(const fs::path& folder) {
    if (is_folder(folder)) return;
    if (is_present(folder)) user_error(folder.string() + ": exists and is not a folder");
    if (own_type(folder) == fs::file_type::symlink) {  // to nothing: the folder is made where it leads
        const fs::path real = behind_links(folder);
        std::error_code error;
        const bool circle = fs::symlink_status(real, error).type() == fs::file_type::symlink ||
                            error == std::errc::too_many_symbolic_link_levels;  // as of a link "a" to "a/b"
        if (circle) user_error(folder.string() + ": is a link that leads round in a circle");
        return make_folders(real);
    }
    if (const fs::path parent = folder.parent_path(); !parent.empty() && parent != folder) make_folders(parent);
    if (::mkdir(folder.c_str(), 0777) != 0 && (errno != EEXIST || !is_folder(folder))) {
        const int code = errno;
        if (core::is_fault_of_disk(code)) core::write_failed(folder, code);
        user_error(fmt::format("{}: can't make this folder: {}", folder.string(), std::strerror(code)));
    }
    core::sync_folder(folder_of(folder));
}

fs::path without_detours(const fs::path& path) {
    fs::path plain;
    for (const fs::path& part : path) {
        if (part == ".." && plain.has_filename() && plain.filename() != ".." && plain.filename() != "." && !is_present(plain))
            plain = plain.parent_path();
        else
            plain /= part;
    }
    return plain.empty() && !path.empty() ? fs::path(".") : plain;
}

void check_can_make(const fs::path& path) {
    fs::path above = folder_of(fs::absolute(behind_links(path)));
    while (!is_present(above) && above != above.parent_path()) above = above.parent_path();
    if (!is_folder(above)) user_error(above.string() + ": exists and is not a folder");
    check_writable(above);
}

void check_writable(const fs::path& folder) {
    if (::access(folder.c_str(), W_OK | X_OK) != 0)
        user_error(fmt::format("{}: can't write into this folder: {}", folder.string(), std::strerror(errno)));
}

}  // namespace ddpm
