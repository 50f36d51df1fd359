#include "ddpm/core/staging.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <spdlog/spdlog.h>

#include "core/file_system.h"
#include "ddpm/core/error.h"

namespace ddpm {

namespace {

constexpr const char* kOld = ".old";
constexpr const char* kLock = ".lock";

bool is_mount_point(const fs::path& folder) {
#ifdef STATX_ATTR_MOUNT_ROOT
    struct statx status {};
    return ::statx(AT_FDCWD, folder.c_str(), 0, STATX_BASIC_STATS, &status) == 0 &&
           (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
#else
    struct stat status {
    }, parent{};
    return ::stat(folder.c_str(), &status) == 0 && ::stat((folder / "..").c_str(), &parent) == 0 && status.st_dev != parent.st_dev;
#endif
}

// ".NAME.lock.partial" and ".NAME.old.partial" beside the target.
fs::path lock_name(const fs::path& target) { return core::partial_name(fs::path(target) += kLock); }
fs::path old_name(const fs::path& target) { return core::partial_name(fs::path(target) += kOld); }

bool is_there(const fs::path& path) { return own_type(path) != fs::file_type::not_found; }

// Warns once, because a run would meet it at every checkpoint.
void warn_of_no_locks(const fs::path& file, int code) {
    static std::atomic<bool> warned{false};
    if (!warned.exchange(true))
        spdlog::warn("{}: can't be locked ({}); take care that nothing else makes the same folder", file.string(),
                     std::generic_category().message(code));
}

// Locks `file`, which says that `target` is being made. Returns nothing if it was removed meanwhile.
Descriptor lock_claim(const fs::path& file, const fs::path& target, bool& left) {
    constexpr int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    Descriptor claim(::open(file.c_str(), flags | O_CREAT | O_EXCL, 0666));
    left = !claim && errno == EEXIST;
    if (left) claim = Descriptor(::open(file.c_str(), flags));
    if (!claim && left && errno == ENOENT) return {};
    if (!claim) core::write_failed(target, errno);
    if (::flock(claim.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            user_error(fmt::format("{}: another process makes this folder now", target.string()),
                       "wait for its end or stop it, or take another name");
        warn_of_no_locks(file, errno);
    }
    return claim;
}

// Returns false if the file system can't do that.
bool exchange_names([[maybe_unused]] const fs::path& a, [[maybe_unused]] const fs::path& b) {
#ifdef RENAME_EXCHANGE
    return ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0;
#else
    return false;
#endif
}

void refuse_others_folders(const fs::path& target) {
    for (const fs::path& path : {core::partial_name(target), old_name(target)})
        if (is_there(path) && (own_type(path) != fs::file_type::directory || !entries_of(path).empty()))
            user_error(path.string() + ": is in the way, and this program has not left it there; move it, or take another name");
}

}  // namespace

fs::path place_of_folder(const fs::path& folder) {
    std::error_code error, ignored;
    fs::path place = fs::weakly_canonical(fs::absolute(folder), error);
    if (error) place = fs::absolute(folder);
    if (!place.has_filename()) place = place.parent_path();
    place = behind_links(place);
    if (own_type(place) == fs::file_type::symlink) user_error(folder.string() + ": is a link that leads round in a circle");
    if (fs::equivalent(place, ".", ignored))
        user_error(fmt::format("{}: is the current folder, which a finished one can't replace; name a folder in it, such as {}",
                               folder.string(), (folder / "new").string()));
    if (is_mount_point(place))
        user_error(fmt::format("{}: is a mount point, which a finished folder can't replace; name a folder in it, such as {}",
                               folder.string(), (folder / "new").string()));
    if (!is_there(lock_name(place))) refuse_others_folders(place);
    return place;
}

// The lock file of a target. A folder can't be locked on every file system (NFS), and a lock file that a kill has left shows
// that what lies beside it is no one else's.
struct StagedFolder::Claim {
    explicit Claim(const fs::path& target) : file(lock_name(target)), partial(core::partial_name(target)), old(old_name(target)) {
        for (int tries = 1; tries <= core::kLockTries; ++tries) {
            descriptor = lock_claim(file, target, left);
            ours = left;
            // The process that had the lock before may have removed the file.
            if (descriptor && (core::is_same_file(descriptor, file) || tries == core::kLockTries)) return;
        }
        core::write_failed(target, EBUSY);
    }
    // What could not be removed stays claimed, so that the next one knows whose it is.
    ~Claim() {
        if (!ours || (!is_there(partial) && !is_there(old))) ::unlink(file.c_str());
    }
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;

    fs::path file, partial, old;
    bool left = false;  // by a kill
    bool ours = false;  // whether `partial` and `old`, where they are there, are this program's
    Descriptor descriptor;
};

namespace {

// Removes what a kill has left of a folder, and gives the target back that it was about to replace.
void clear_leftovers(const fs::path& target) {
    std::error_code ignored;
    const fs::path old = old_name(target);
    if (is_there(old) && !is_there(target))
        fs::rename(old, target, ignored);
    else
        fs::remove_all(old, ignored);
    fs::remove_all(core::partial_name(target), ignored);
}

}  // namespace

StagedFolder::StagedFolder(fs::path target)
    : target_(std::move(target)), partial_(core::partial_name(target_)), claim_(std::make_unique<Claim>(target_)) {
    if (claim_->left)
        clear_leftovers(target_);
    else
        refuse_others_folders(target_);
    if (::mkdir(partial_.c_str(), 0777) != 0 && errno != EEXIST) core::write_failed(target_, errno);
    claim_->ours = true;
}

StagedFolder::~StagedFolder() {
    std::error_code ignored;
    if (!committed_) fs::remove_all(partial_, ignored);
}

fs::path StagedFolder::commit(bool replace) {
    // Files are synced first, then the folders that name them, the deepest first. The rename comes last.
    std::vector<fs::path> folders{partial_};
    for (size_t i = 0; i < folders.size(); ++i) {
        for (const fs::path& entry : entries_of(folders[i])) {
            if (is_folder(entry))
                folders.push_back(entry);
            else
                core::sync_file(entry);
        }
    }
    std::reverse(folders.begin(), folders.end());
    for (const fs::path& folder : folders) core::sync_folder(folder);
    std::error_code ignored;
    const bool replaces = replace && is_present(target_);
    if (replaces && exchange_names(partial_, target_)) {  // at every instant the old target or the new one is there
        committed_ = true;
        core::sync_folder(folder_of(target_));
        fs::remove_all(partial_, ignored);
        return target_;
    }
    const fs::path old = old_name(target_);
    bool moved = false;
    if (replaces) {
        fs::remove_all(old, ignored);
        moved = ::rename(target_.c_str(), old.c_str()) == 0;
    }
    fs::path place = target_;  // a rename succeeds only if the target is missing or an empty folder
    for (int number = 2; ::rename(partial_.c_str(), place.c_str()) != 0; ++number) {
        const int code = errno;
        if ((code != EEXIST && code != ENOTEMPTY && code != ENOTDIR) || number > 9999) {
            if (moved) ::rename(old.c_str(), target_.c_str());
            core::write_failed(target_, code);
        }
        place = fmt::format("{}-{}", target_.string(), number);
    }
    committed_ = true;
    core::sync_folder(folder_of(target_));
    if (moved) fs::remove_all(old, ignored);
    if (place != target_)
        spdlog::warn("{}: came into being meanwhile and is left as it is; what was made is in {}", target_.string(),
                     place.string());
    return place;
}

std::string name_of_partial(const std::string& file) {
    if (file.size() <= 1 + core::kPartial.size() || file.front() != '.' || !file.ends_with(core::kPartial)) return "";
    std::string name = file.substr(1, file.size() - 1 - core::kPartial.size());
    for (const std::string_view ending : {kOld, kLock})
        if (name.ends_with(ending)) return name.substr(0, name.size() - ending.size());
    return name;
}

namespace {

// Whether another process has this file or folder locked.
bool is_locked(const fs::path& path, int mode) {
    const Descriptor opened(::open(path.c_str(), mode | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    return opened && !core::lock(opened);
}

}  // namespace

namespace {

bool is_others_file(const fs::path& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 && core::is_others_partial(status);
}

// Whether what `path` leads to is no leftover of this program, which would make `target` of it.
bool is_others(const fs::path& path, const fs::path& target, const std::function<bool(const fs::path& folder)>& is_left) {
    if (own_type(path) != fs::file_type::directory) return is_others_file(path);
    if (is_there(lock_name(target)) && !is_others_file(lock_name(target))) return false;
    try {
        return !entries_of(path).empty() && !(is_left && is_left(path));
    } catch (const Unreadable&) {
        return true;
    }
}

}  // namespace

int sweep_partial(const fs::path& folder, const std::function<bool(const std::string& name)>& ours,
                  const std::function<bool(const fs::path& folder)>& is_left) {
    int removed = 0;
    std::vector<fs::path> entries = entries_of(folder);
    const std::string lock_ending = fmt::format("{}{}", kLock, core::kPartial);
    // Lock files go last, because they tell whose the folders beside them are.
    std::stable_partition(entries.begin(), entries.end(),
                          [&](const fs::path& path) { return !path.filename().string().ends_with(lock_ending); });
    for (const fs::path& path : entries) {
        const std::string name = name_of_partial(path.filename().string());
        if (name.empty() || !ours(name)) continue;
        const fs::path target = folder / name;
        if (is_locked(path, O_RDONLY) || is_locked(lock_name(target), O_RDWR)) continue;
        if (is_others(path, target, is_left)) {
            spdlog::warn("{}: is named like something half-written, but this program has not left it there, so it stays",
                         path.string());
            continue;
        }
        if (path == lock_name(target) && (is_there(core::partial_name(target)) || is_there(old_name(target)))) continue;
        std::error_code error;
        if (path == old_name(target) && !is_there(target)) {  // a kill came while it was replaced
            fs::rename(path, target, error);
            continue;
        }
        fs::remove_all(path, error);
        if (!error && path != lock_name(target)) ++removed;
    }
    return removed;
}

}  // namespace ddpm
