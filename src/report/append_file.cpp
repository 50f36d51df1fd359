#include "ddpm/report/append_file.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

#include <spdlog/spdlog.h>

#include "ddpm/core/error.h"
#include "ddpm/core/files.h"

namespace ddpm {

namespace {

constexpr size_t kMaxWaiting = 1 << 20;

}  // namespace

AppendFile::AppendFile(fs::path path, std::string plural)
    : path_(std::move(path)), plural_(std::move(plural)), descriptor_(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC)) {
    if (!descriptor_) runtime_failure(fmt::format("{}: can't open for writing: {}", path_.string(), std::strerror(errno)));
    size_ = ::lseek(descriptor_.get(), 0, SEEK_END);
}

AppendFile::~AppendFile() {
    if (!waiting_.empty()) write_waiting();
}

void AppendFile::append(std::string_view record) {
    const std::lock_guard lock(mutex_);
    if (!waiting_.empty() && waiting_.size() + record.size() > kMaxWaiting)
        ++lost_;
    else
        waiting_ += record;
    write_waiting();
}

void AppendFile::write_waiting() {
    const int code = write_all(descriptor_.get(), waiting_.data(), waiting_.size());
    if (code != 0) {
        // Cuts off what was written in part: half a record must not stand before the next one.
        const bool cut = ::ftruncate(descriptor_.get(), size_) == 0;
        if (!failing_)
            spdlog::warn("{}: can't write: {}; training goes on, and the {} {}", path_.string(), std::strerror(code), plural_,
                         cut ? "follow when it can be written again" : "of this failure are torn");
        failing_ = true;
        return;
    }
    size_ += static_cast<int64_t>(waiting_.size());
    waiting_.clear();
    if (failing_)
        spdlog::info("{}: can be written again{}", path_.string(),
                     lost_ == 0 ? "" : fmt::format("; {} {} were lost", lost_, plural_));
    failing_ = false;
    lost_ = 0;
}

void AppendFile::sync() {
    const std::lock_guard lock(mutex_);
    if (!waiting_.empty()) write_waiting();
    ::fsync(descriptor_.get());
}

}  // namespace ddpm
