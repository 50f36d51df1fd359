#include "ddpm/core/arena.h"

#include <iterator>

#include <sys/mman.h>

namespace ddpm {

namespace {

// A block takes a cache line more than was asked for. Without it, blocks whose sizes are powers of two would begin at
// addresses that compete for the same place in the caches.
constexpr size_t kLine = 64;

}  // namespace

size_t Arena::block_size(size_t bytes) { return (bytes + 2 * kLine - 1) / kLine * kLine; }

Arena::Arena(size_t bytes) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
#ifdef MAP_NORESERVE
    flags |= MAP_NORESERVE;
#endif
    void* range = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (range == MAP_FAILED) return;
#ifdef MADV_HUGEPAGE
    ::madvise(range, bytes, MADV_HUGEPAGE);
#endif
    begin_ = static_cast<char*>(range);
    size_ = bytes;
    free_.emplace(begin_, size_);
}

Arena::~Arena() {
    if (begin_) ::munmap(begin_, size_);
}

void* Arena::allocate(size_t bytes) {
    const size_t wanted = block_size(bytes);
    if (wanted < bytes) return nullptr;
    const std::lock_guard<std::mutex> lock(mutex_);
    for (auto place = free_.begin(); place != free_.end(); ++place) {
        const auto [begin, size] = *place;
        if (size < wanted) continue;
        free_.erase(place);
        if (size > wanted) free_.emplace(begin + wanted, size - wanted);
        taken_.emplace(begin, wanted);
        used_ += wanted;
        return begin;
    }
    return nullptr;
}

size_t Arena::release(void* block) {
    auto* begin = static_cast<char*>(block);
    if (begin < begin_ || begin >= begin_ + size_) return 0;
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = taken_.find(begin);
    if (found == taken_.end()) return 0;
    const size_t released = found->second;
    size_t size = released;
    taken_.erase(found);
    used_ -= size;
    auto next = free_.lower_bound(begin);
    if (next != free_.end() && next->first == begin + size) {
        size += next->second;
        next = free_.erase(next);
    }
    if (next != free_.begin()) {
        const auto before = std::prev(next);
        if (before->first + before->second == begin) {
            before->second += size;
            return released;
        }
    }
    free_.emplace_hint(next, begin, size);
    return released;
}

size_t Arena::used() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return used_;
}

}  // namespace ddpm
