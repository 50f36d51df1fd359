#include "ddpm/tensorfile/read_at.h"

#include <cerrno>
#include <cstring>

#include <unistd.h>

#include <spdlog/fmt/fmt.h>

#include "ddpm/core/error.h"

namespace ddpm {

void read_at(int descriptor, uint64_t offset, char* bytes, uint64_t count, const std::string& source) {
    while (count > 0) {
        const ssize_t got = ::pread(descriptor, bytes, count, static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            throw Unreadable(Error::Kind::runtime,
                             fmt::format("{}: can't read {} bytes at {}: {}", source, count, offset, std::strerror(errno)));
        if (got == 0) runtime_failure(fmt::format("{}: can't read {} bytes at {}: the file has shrunk", source, count, offset));
        bytes += got;
        offset += static_cast<uint64_t>(got);
        count -= static_cast<uint64_t>(got);
    }
}

}  // namespace ddpm
