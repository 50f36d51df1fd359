#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>

namespace ddpm {

// Memory in one long range of addresses, of which only what has been used is resident. A block goes to the lowest place
// that takes it and joins its free neighbours when it is given back: a training step, which takes and gives the same blocks
// over and over, then needs little more than what is alive at its peak, and no new pages from the kernel. Any thread may
// call.
class Arena {
public:
    // `bytes` of addresses; a machine that does not lend so many leaves the arena empty.
    explicit Arena(size_t bytes);
    ~Arena();
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    // At least `bytes`, aligned to 64 and undefined in content; null when there is no place.
    void* allocate(size_t bytes);

    // What allocate gave; returns its block_size. 0, and nothing done, for any other pointer.
    size_t release(void* block);

    // What a block of `bytes` takes.
    static size_t block_size(size_t bytes);

    size_t used() const;  // bytes of the blocks that are out

private:
    char* begin_ = nullptr;
    size_t size_ = 0, used_ = 0;
    std::map<char*, size_t> free_, taken_;  // by address, to size
    mutable std::mutex mutex_;
};

}  // namespace ddpm
