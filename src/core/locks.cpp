#include "ddpm/core/locks.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>

#include <spdlog/spdlog.h>

#include "core/file_system.h"
#include "ddpm/core/error.h"

namespace ddpm {

FolderLock::FolderLock(const fs::path& folder) {
    const fs::path path = folder / ".lock";
    descriptor_ = Descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
    if (!descriptor_) {
        const int code = errno;
        if (core::is_fault_of_disk(code)) core::write_failed(path, code);
        if (is_present(path)) user_error(fmt::format("{}: can't write: {}", path.string(), std::strerror(code)));
        user_error(fmt::format("{}: can't write into this folder: {}", folder.string(), std::strerror(code)));
    }
    if (::flock(descriptor_.get(), LOCK_EX | LOCK_NB) == 0) return;
    if (errno == EWOULDBLOCK)
        user_error(fmt::format("{}: another process is at work in this folder (it holds {})", folder.string(), path.string()),
                   "wait for its end or stop it, or take another folder");
    spdlog::warn("{}: can't be locked ({}); take care that nothing else writes into this folder", path.string(),
                 std::strerror(errno));
}

FolderWatch::FolderWatch(fs::path folder)
    : folder_(std::move(folder)), descriptor_(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}

bool FolderWatch::is_in_place() const { return !descriptor_ || core::is_same_file(descriptor_, folder_); }

std::optional<fs::path> FolderWatch::place() const {
    std::error_code error;
    const fs::path place = fs::read_symlink(fmt::format("/proc/self/fd/{}", descriptor_.get()), error);
    return !error && core::is_same_file(descriptor_, place) ? std::optional(place) : std::nullopt;
}

}  // namespace ddpm
