#include "ddpm/core/staging.h"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>

#include <spdlog/spdlog.h>

#include "core/file_system.h"
#include "ddpm/core/error.h"

namespace ddpm {

namespace {

constexpr std::string_view kOld = ".old";

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

Descriptor open_folder(const fs::path& path) {
    return Descriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
}

// Opens the folder `partial` and locks it. Makes it if there is none.
Descriptor take_folder(const fs::path& partial, const fs::path& target) {
    for (int tries = 1;; ++tries) {
        std::error_code ignored;
        if (own_type(partial) != fs::file_type::directory) fs::remove(partial, ignored);
        if (::mkdir(partial.c_str(), 0777) != 0 && errno != EEXIST) core::write_failed(target, errno);
        Descriptor folder = open_folder(partial);
        if (!folder && errno != ENOENT) core::write_failed(target, errno);
        if (!folder) continue;
        if (!core::lock(folder))
            user_error(fmt::format("{}: another process makes this folder now", target.string()),
                       "wait for its end or stop it, or take another name");
        // The process that had the lock before may have renamed the folder.
        if (core::is_same_file(folder, partial) || tries >= core::kLockTries) return folder;
    }
}

// Returns false if the file system can't do that.
bool exchange_names([[maybe_unused]] const fs::path& a, [[maybe_unused]] const fs::path& b) {
#ifdef RENAME_EXCHANGE
    return ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0;
#else
    return false;
#endif
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
    return place;
}

StagedFolder::StagedFolder(fs::path target)
    : target_(std::move(target)), partial_(core::partial_name(target_)), descriptor_(take_folder(partial_, target_)) {
    std::error_code ignored;
    for (const fs::path& entry : entries_of(partial_)) fs::remove_all(entry, ignored);
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
    // The replaced folder is locked until it is removed: after the exchange it has the partial name, and another process
    // would take it over.
    const Descriptor before = replaces ? open_folder(target_) : Descriptor();
    if (before) core::lock(before);
    if (replaces && exchange_names(partial_, target_)) {  // at every instant the old target or the new one is there
        committed_ = true;
        core::sync_folder(folder_of(target_));
        fs::remove_all(partial_, ignored);
        return target_;
    }
    const fs::path old = core::partial_name(target_.parent_path() / fmt::format("{}{}", target_.filename().string(), kOld));
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
    const std::string name = file.substr(1, file.size() - 1 - core::kPartial.size());
    return name.ends_with(kOld) ? name.substr(0, name.size() - kOld.size()) : name;
}

int sweep_partial(const fs::path& folder, const std::function<bool(const std::string& name)>& ours) {
    int removed = 0;
    for (const fs::path& path : entries_of(folder)) {
        const std::string name = name_of_partial(path.filename().string());
        if (name.empty() || !ours(name)) continue;
        const Descriptor opened(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
        if (opened && !core::lock(opened)) continue;
        std::error_code error;
        fs::remove_all(path, error);
        if (!error) ++removed;
    }
    return removed;
}

}  // namespace ddpm
