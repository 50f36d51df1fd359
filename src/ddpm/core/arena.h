#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>

namespace ddpm {

// Allocates from one long range of addresses, of which only the pages that have been used are resident. A block goes to the
// lowest free place that is large enough, and joins its free neighbours when it is released. A training step takes and
// releases the same blocks over and over, so it needs little more memory than is alive at its peak, and no new pages from
// the kernel. Any thread may call.
class Arena {
public:
    // Reserves `bytes` of addresses. If the system refuses, the arena is empty and allocate() returns null.
    explicit Arena(size_t bytes);
    ~Arena();
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    // Returns at least `bytes` of uninitialised memory, aligned to 64 bytes, or null if there is no room.
    void* allocate(size_t bytes);

    // Takes back a block that allocate() returned, and returns its block_size. Does nothing and returns 0 for any other
    // pointer.
    size_t release(void* block);

    // Returns how much of the range a block of `bytes` takes, in bytes.
    static size_t block_size(size_t bytes);

    size_t used() const;  // bytes of all blocks that are not released

private:
    char* begin_ = nullptr;
    size_t size_ = 0, used_ = 0;
    std::map<char*, size_t> free_, taken_;  // by address, to size
    mutable std::mutex mutex_;
};

}  // namespace ddpm
