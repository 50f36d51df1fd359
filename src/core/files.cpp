#include "ddpm/core/files.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <spdlog/spdlog.h>

#include "ddpm/core/error.h"

namespace ddpm {

namespace {

constexpr std::string_view kPartial = ".partial", kOld = ".old";
constexpr size_t kWriteAtOnce = 1 << 20;
constexpr int kTries = 100;  // to lock what bears a name; some file systems may number their files anew each time

fs::path partial_name(const fs::path& target) {
    return target.parent_path() / fmt::format(".{}{}", target.filename().string(), kPartial);
}

// Rather than of a path that the user gave.
bool is_fault_of_disk(int code) { return code == ENOSPC || code == EDQUOT || code == EIO || code == EFBIG; }

[[noreturn]] void write_failed(const fs::path& path, int code) {
    runtime_failure(fmt::format("{}: can't write: {}", path.string(), std::strerror(code)),
                    code == ENOSPC  ? "free some space"
                    : code == EFBIG ? "`ulimit -f` or the file system allows no larger file"
                                    : "");
}

// What a symbolic link leads to, there or not, so that the link stays one when the file or folder is replaced.
fs::path behind_links(fs::path path) {
    std::error_code error;
    for (int links = 0; links < 40 && fs::is_symlink(path, error); ++links) path = path.parent_path() / fs::read_symlink(path, error);
    return path;
}

bool is_mount_point(const fs::path& folder) {
#ifdef STATX_ATTR_MOUNT_ROOT
    struct statx status {};
    return ::statx(AT_FDCWD, folder.c_str(), 0, STATX_BASIC_STATS, &status) == 0 &&
           (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
#else
    struct stat status {}, parent {};
    return ::stat(folder.c_str(), &status) == 0 && ::stat((folder / "..").c_str(), &parent) == 0 && status.st_dev != parent.st_dev;
#endif
}

bool is_same_file(int descriptor, const fs::path& path) {
    struct stat one {}, other {};
    return ::fstat(descriptor, &one) == 0 && ::stat(path.c_str(), &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

int open_folder(const fs::path& path) { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW); }

// False when another process has it. Where there are no locks, everybody gets one.
bool lock(int descriptor) { return ::flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK; }

[[noreturn]] void unreadable(const std::string& name, const char* what) {
    if (errno == ENOENT) user_error(fmt::format("{}: {}: {}", name, what, std::strerror(errno)));
    throw Unreadable(Error::Kind::user, fmt::format("{}: {}: {}", name, what, std::strerror(errno)));
}

// A device, pipe or socket: renaming a file over it would take its place.
bool is_special(const fs::path& path) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    return fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status);
}

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

void sync_path(const fs::path& path, bool folder) {
    const int descriptor = ::open(path.c_str(), (folder ? O_RDONLY | O_DIRECTORY : O_RDONLY) | O_CLOEXEC);
    if (descriptor < 0 && folder && errno == EACCES) return;  // may be written into, not read
    if (descriptor < 0) write_failed(path, errno);
    const int result = ::fsync(descriptor);
    const int code = errno;
    ::close(descriptor);
    // Some file systems have no fsync for folders; that is no reason to lose a run.
    if (result != 0 && !(folder && (code == EINVAL || code == ENOTSUP))) write_failed(path, code);
}

// False where the file system can't.
bool exchange_names([[maybe_unused]] const fs::path& a, [[maybe_unused]] const fs::path& b) {
#ifdef RENAME_EXCHANGE
    return ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0;
#else
    return false;
#endif
}

}  // namespace

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

int open_to_read(const fs::path& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) unreadable(path.string(), "can't open");
    return descriptor;
}

std::string read_file(const fs::path& path, uint64_t max_bytes) {
    const std::string name = path.string();
    const int descriptor = open_to_read(path);
    struct Closer {
        int descriptor;
        ~Closer() { ::close(descriptor); }
    } closer{descriptor};
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) unreadable(name, "can't read");
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
        const ssize_t count = ::read(descriptor, buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) unreadable(name, "can't read");
        if (count == 0) return bytes;
        if (bytes.size() + static_cast<size_t>(count) > max_bytes) too_large(bytes.size() + static_cast<size_t>(count));
        bytes.append(buffer, static_cast<size_t>(count));
    }
}

void write_file(const fs::path& path, std::string_view bytes) {
    FileWriter writer(path);
    writer.write(bytes.data(), bytes.size());
    writer.commit();
}

FileWriter::FileWriter(const fs::path& path) : path_(behind_links(path)), partial_(partial_name(path_)) {
    std::error_code ignored;
    if (fs::is_directory(path_, ignored)) runtime_failure(path_.string() + ": is a folder, expected a file's name");
    if (is_special(path_)) runtime_failure(path_.string() + ": is a device or a pipe, expected a file's name");
    for (int tries = 1;; ++tries) {
        const int descriptor = ::open(partial_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
        struct stat status {};
        if (descriptor < 0 && errno != ELOOP && errno != ENXIO && errno != EISDIR) write_failed(path_, errno);
        if (descriptor < 0 || (::fstat(descriptor, &status) == 0 && !S_ISREG(status.st_mode))) {
            if (descriptor >= 0) ::close(descriptor);
            runtime_failure(partial_.string() + ": is in the way, and no file; move it");
        }
        if (!lock(descriptor)) {
            ::close(descriptor);
            runtime_failure(path_.string() + ": another process writes this file now");
        }
        const bool left = ::fstat(descriptor, &status) == 0 && status.st_size > 0;  // by a kill
        // Who had the lock before may have renamed the file.
        if (is_same_file(descriptor, partial_) && (!left || ::ftruncate(descriptor, 0) == 0)) {
            descriptor_ = descriptor;
            return;
        }
        ::close(descriptor);
        if (tries == kTries) write_failed(path_, EBUSY);
    }
}

FileWriter::~FileWriter() {
    if (descriptor_ < 0) return;
    ::unlink(partial_.c_str());
    ::close(descriptor_);
}

void FileWriter::write(const void* bytes, size_t count) {
    if (waiting_.size() + count > kWriteAtOnce) flush();
    if (count > kWriteAtOnce) {
        if (const int code = write_all(descriptor_, static_cast<const char*>(bytes), count)) write_failed(path_, code);
    } else {
        waiting_.append(static_cast<const char*>(bytes), count);
    }
}

void FileWriter::flush() {
    if (const int code = write_all(descriptor_, waiting_.data(), waiting_.size())) write_failed(path_, code);
    waiting_.clear();
}

void FileWriter::overwrite(uint64_t offset, std::string_view bytes) {
    flush();
    const ssize_t written = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written != static_cast<ssize_t>(bytes.size())) write_failed(path_, written < 0 ? errno : EIO);
}

void FileWriter::commit() {
    flush();
    if (::fsync(descriptor_) != 0) write_failed(path_, errno);
    // Closed afterwards: the lock goes with the descriptor, and what bears the name until then must be this file.
    if (::rename(partial_.c_str(), path_.c_str()) != 0) write_failed(path_, errno);
    ::close(descriptor_);
    descriptor_ = -1;
    sync_path(folder_of(path_), true);
}

fs::path place_of_folder(const fs::path& folder) {
    std::error_code error, ignored;
    fs::path place = fs::weakly_canonical(fs::absolute(folder), error);
    if (error) place = fs::absolute(folder);
    if (!place.has_filename()) place = place.parent_path();
    place = behind_links(place);
    if (fs::is_symlink(place, ignored)) user_error(folder.string() + ": is a link that leads round in a circle");
    if (fs::equivalent(place, ".", ignored))
        user_error(fmt::format("{}: is the current folder, which a finished one can't replace; name a folder in it, such as {}",
                               folder.string(), (folder / "new").string()));
    if (is_mount_point(place))
        user_error(fmt::format("{}: is a mount point, which a finished folder can't replace; name a folder in it, such as {}",
                               folder.string(), (folder / "new").string()));
    return place;
}

StagedFolder::StagedFolder(fs::path target) : target_(std::move(target)), partial_(partial_name(target_)) {
    for (int tries = 1;; ++tries) {
        std::error_code ignored;
        if (!fs::is_directory(fs::symlink_status(partial_, ignored))) fs::remove(partial_, ignored);
        if (::mkdir(partial_.c_str(), 0777) != 0 && errno != EEXIST) write_failed(target_, errno);
        descriptor_ = open_folder(partial_);
        if (descriptor_ < 0 && errno != ENOENT) write_failed(target_, errno);
        if (descriptor_ >= 0 && !lock(descriptor_)) {
            ::close(descriptor_);
            user_error(fmt::format("{}: another process makes this folder now", target_.string()),
                       "wait for its end or stop it, or take another name");
        }
        // Who had the lock before may have renamed the folder.
        if (descriptor_ >= 0 && (is_same_file(descriptor_, partial_) || tries == kTries)) break;
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    std::error_code ignored;
    for (const fs::path& entry : entries_of(partial_)) fs::remove_all(entry, ignored);
}

StagedFolder::~StagedFolder() {
    std::error_code ignored;
    if (!committed_) fs::remove_all(partial_, ignored);
    ::close(descriptor_);
}

fs::path StagedFolder::commit(bool replace) {
    // Contents first, then the folders that name them, deepest first, then the name itself.
    std::vector<fs::path> folders{partial_};
    for (size_t i = 0; i < folders.size(); ++i) {
        for (const fs::path& entry : entries_of(folders[i])) {
            std::error_code none;
            if (fs::is_directory(entry, none))
                folders.push_back(entry);
            else
                sync_path(entry, false);
        }
    }
    std::reverse(folders.begin(), folders.end());
    for (const fs::path& folder : folders) sync_path(folder, true);
    std::error_code ignored;
    const bool replaces = replace && fs::exists(target_, ignored);
    // Locked until it is gone: after the exchange it bears the name that the next process would take over.
    const int before = replaces ? open_folder(target_) : -1;
    if (before >= 0) lock(before);
    const struct Closer {
        int descriptor;
        ~Closer() {
            if (descriptor >= 0) ::close(descriptor);
        }
    } closer{before};
    if (replaces && exchange_names(partial_, target_)) {  // there is no instant without the one or the other
        committed_ = true;
        sync_path(folder_of(target_), true);
        fs::remove_all(partial_, ignored);
        return target_;
    }
    const fs::path old = partial_name(target_.parent_path() / fmt::format("{}{}", target_.filename().string(), kOld));
    bool moved = false;
    if (replaces) {
        fs::remove_all(old, ignored);
        moved = ::rename(target_.c_str(), old.c_str()) == 0;
    }
    fs::path place = target_;  // a rename replaces what is missing or an empty folder, nothing else
    for (int number = 2; ::rename(partial_.c_str(), place.c_str()) != 0; ++number) {
        const int code = errno;
        if ((code != EEXIST && code != ENOTEMPTY && code != ENOTDIR) || number > 9999) {
            if (moved) ::rename(old.c_str(), target_.c_str());
            write_failed(target_, code);
        }
        place = fmt::format("{}-{}", target_.string(), number);
    }
    committed_ = true;
    sync_path(folder_of(target_), true);
    if (moved) fs::remove_all(old, ignored);
    if (place != target_)
        spdlog::warn("{}: came into being meanwhile and is left as it is; what was made is in {}", target_.string(), place.string());
    return place;
}

FolderLock::FolderLock(const fs::path& folder) {
    const fs::path path = folder / ".lock";
    descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && is_fault_of_disk(errno)) write_failed(path, errno);
    if (descriptor_ < 0) {
        const std::string why = std::strerror(errno);
        if (std::error_code ignored; fs::exists(path, ignored)) user_error(fmt::format("{}: can't write: {}", path.string(), why));
        user_error(fmt::format("{}: can't write into this folder: {}", folder.string(), why));
    }
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
    const int code = errno;
    if (code != EWOULDBLOCK) {
        spdlog::warn("{}: can't be locked ({}); take care that nothing else writes into this folder", path.string(),
                     std::strerror(code));
        return;
    }
    ::close(descriptor_);
    user_error(fmt::format("{}: another process is at work in this folder (it holds {})", folder.string(), path.string()),
               "wait for its end or stop it, or take another folder");
}

FolderLock::~FolderLock() { ::close(descriptor_); }

FolderWatch::FolderWatch(fs::path folder)
    : folder_(std::move(folder)), descriptor_(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}

FolderWatch::~FolderWatch() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

bool FolderWatch::is_in_place() const { return descriptor_ < 0 || is_same_file(descriptor_, folder_); }

std::optional<fs::path> FolderWatch::place() const {
    std::error_code error;
    const fs::path place = fs::read_symlink(fmt::format("/proc/self/fd/{}", descriptor_), error);
    return !error && is_same_file(descriptor_, place) ? std::optional(place) : std::nullopt;
}

std::string name_of_partial(const std::string& file) {
    if (file.size() <= 1 + kPartial.size() || file.front() != '.' || !file.ends_with(kPartial)) return "";
    const std::string name = file.substr(1, file.size() - 1 - kPartial.size());
    return name.ends_with(kOld) ? name.substr(0, name.size() - kOld.size()) : name;
}

int sweep_partial(const fs::path& folder, const std::function<bool(const std::string& name)>& ours) {
    int removed = 0;
    for (const fs::path& path : entries_of(folder)) {
        const std::string name = name_of_partial(path.filename().string());
        if (name.empty() || !ours(name)) continue;
        const int descriptor = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        std::error_code error;
        if (descriptor < 0 || lock(descriptor)) {
            fs::remove_all(path, error);
            if (!error) ++removed;
        }
        if (descriptor >= 0) ::close(descriptor);
    }
    return removed;
}

void check_place(const std::string& flag, const fs::path& file, Written kind) {
    std::error_code ignored;
    const fs::path real = behind_links(file);
    if (fs::is_symlink(real, ignored)) user_error(fmt::format("{}: {}: is a link that leads round in a circle", flag, file.string()));
    if (real != file) check_place(fmt::format("{}: {} (a link)", flag, file.string()), real, kind);
    if (!fs::is_directory(folder_of(file), ignored))
        user_error(fmt::format("{}: {}: there is no folder {}; make it first", flag, file.string(), folder_of(file).string()));
    if (::access(folder_of(file).c_str(), W_OK | X_OK) != 0)
        user_error(fmt::format("{}: {}: can't write into {}: {}", flag, file.string(), folder_of(file).string(), std::strerror(errno)));
    if (fs::is_directory(file, ignored))
        user_error(fmt::format("{}: {}: is a folder, expected a file's name", flag, file.string()));
    if (is_special(file))
        user_error(fmt::format("{}: {}: is a device or a pipe, expected a file's name", flag, file.string()));
    std::string extension = file.extension().string();
    for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (kind == Written::picture && extension != ".png")
        user_error(fmt::format("{}: {}: pictures are written as PNG, expected a name that ends in .png", flag, file.string()));
    if (kind == Written::table && extension != ".csv")
        user_error(fmt::format("{}: {}: expected a name that ends in .csv", flag, file.string()));
}

void check_places(const std::vector<Place>& files) {
    std::map<fs::path, std::string> taken;
    for (const auto& [flag, file, kind] : files) {
        if (file.empty()) continue;
        check_place(flag, file, kind);
        const auto [other, fresh] = taken.emplace(fs::weakly_canonical(fs::absolute(behind_links(file))), flag);
        if (!fresh) user_error(fmt::format("{} and {} name the same file, {}", other->second, flag, file.string()));
    }
}

void make_folders(const fs::path& folder) {
    std::error_code error;
    if (fs::is_directory(folder, error)) return;
    if (fs::exists(folder, error)) user_error(folder.string() + ": exists and is not a folder");
    if (const fs::path parent = folder.parent_path(); !parent.empty() && parent != folder) make_folders(parent);
    if (::mkdir(folder.c_str(), 0777) != 0 && (errno != EEXIST || !fs::is_directory(folder, error))) {
        const int code = errno;
        if (is_fault_of_disk(code)) write_failed(folder, code);
        user_error(fmt::format("{}: can't make this folder: {}", folder.string(), std::strerror(code)));
    }
    sync_path(folder_of(folder), true);
}

void check_writable(const fs::path& folder) {
    if (::access(folder.c_str(), W_OK | X_OK) != 0)
        user_error(fmt::format("{}: can't write into this folder: {}", folder.string(), std::strerror(errno)));
}

fs::file_type type_of(const fs::path& path) {
    std::error_code error;
    const fs::file_type type = fs::status(path, error).type();
    if (type == fs::file_type::none)
        throw Unreadable(Error::Kind::user, fmt::format("{}: can't read: {}", path.string(), error.message()));
    return type;
}

std::vector<fs::path> entries_of(const fs::path& folder) {
    std::vector<fs::path> entries;
    std::error_code error;
    fs::directory_iterator entry(folder, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) entries.push_back(entry->path());
    const bool missing = error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory ||
                         error == std::errc::filename_too_long;
    if (error && !missing)
        throw Unreadable(Error::Kind::user, fmt::format("{}: can't list: {}", folder.string(), error.message()));
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

}  // namespace ddpm
